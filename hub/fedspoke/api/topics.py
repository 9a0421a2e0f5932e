"""What posts are about, as far as a profile tells it: a fixed public list, the same for every cluster and every federation.

A topic is a name and what its posts may be about. Neither comes from anyone's posts, so the names give nothing away; only the
counts do, and they are noised.
"""

OTHER = "other"
"""What is close to no topic."""

TOPICS: dict[str, tuple[str, ...]] = {
    "animals": ("a pet dog or cat", "wild animals and birds", "a horse on a farm"),
    "art": ("a painting in a museum", "drawing and illustration", "an art exhibition"),
    "books": ("reading a novel", "a book by my favourite author", "poetry and writing"),
    "celebrations": ("happy birthday", "a wedding anniversary", "Christmas and holiday greetings"),
    "cars": ("driving a new car", "motorcycles and engines", "car repair in the garage"),
    "family": ("my children and grandchildren", "mum, dad and my brother", "a newborn baby"),
    "fashion": ("a new dress and shoes", "outfit of the day", "hair, makeup and beauty"),
    "film": ("watching a film at the cinema", "a series on television", "actors and directors"),
    "food": ("a delicious dinner recipe", "baking bread and cake", "coffee, wine and a restaurant"),
    "friends": ("a party with friends", "meeting an old friend", "a night out together"),
    "games": ("playing a video game", "a board game evening", "online gaming and consoles"),
    "health": ("going to the doctor and hospital", "recovering from an illness", "mental health and sleep"),
    "home": ("moving into a new flat", "decorating and furniture", "repairing the house"),
    "garden": ("flowers and plants in the garden", "growing vegetables", "watering and seeds"),
    "music": ("a concert of my favourite band", "playing the guitar and singing", "a new song and album"),
    "nature": ("hiking in the mountains", "sunset over the lake and sea", "trees, snow and autumn weather"),
    "news and politics": ("elections and the government", "a protest for rights", "war and the economy in the news"),
    "photography": ("my new camera and lens", "a portrait in black and white", "taking photographs"),
    "religion": ("a prayer to God", "church on Sunday", "faith, blessings and scripture"),
    "school": ("an exam at university", "students and teachers in class", "graduation day"),
    "science": ("a rocket launch into space", "physics and research", "a telescope and the stars"),
    "sport": ("our team won the football match", "running a marathon", "training at the gym"),
    "technology": ("a new phone and laptop", "programming software", "artificial intelligence and the internet"),
    "travel": ("a holiday abroad", "at the airport with a suitcase", "sightseeing in a foreign city"),
    "work": ("a new job at the office", "a meeting with colleagues", "my business and customers"),
}
"""By name; what describes a topic is in English, as posts' encoder reads that best."""

NAMES = (*TOPICS, OTHER)
