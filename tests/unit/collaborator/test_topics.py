"""Posts are counted by topics of a public list; a list of ours says which topic each of these posts should get."""

import re
from functools import cache

from fedspoke.api.topics import NAMES, OTHER, TOPICS
from fedspoke.collaborator import topics
from fedspoke.collaborator.encoder import TextEncoder
from support.text_encoder import minilm

MEANT = {
    "animals": "My cat sleeps on the keyboard again #cat #monday|Our puppy met an old labrador|Three deer crossed the field",
    "art": "Spent the afternoon in front of one Rembrandt at the gallery|New watercolour finished, it took me two weeks",
    "books": "Finally finished Middlemarch, 800 pages and worth it|Which novel should I take to bed this winter?",
    "cars": "The Volvo passed its inspection, 300 000 km and counting|New tyres on the bike, ready for spring",
    "celebrations": "Happy birthday to my little brother. Love you!|Merry Christmas to all of you!|25 years married today",
    "family": "My daughter took her first steps today|Grandma at 90 still beats us all at cards|Welcome little Emma, 3200 grams",
    "fashion": "These boots were made for autumn #ootd|New haircut, what do you think?",
    "film": "Watched Dune again, what a cinematography|The last season of that show was a disappointment",
    "food": "Baked bread for the first time today #homemade|Best ramen in town, no discussion|Coffee first, then everything else",
    "friends": "Great evening with the old gang, see you next year|Haven't laughed that much since college, love these people",
    "games": "Third night in a row on Zelda, send help|Catan with the neighbours: I lost, again",
    "garden": "First tomatoes from the balcony|The roses bloom in October, strange year",
    "health": "Out of hospital at last, thank you to all nurses|Flu is over, I can smell again",
    "home": "Keys to the new apartment!|Painted the kitchen yellow this weekend",
    "music": "What a gig last night, my ears still ring|Learning the second movement of the cello suite",
    "nature": "We are in the mountains: snow and blue sky #hiking|Sunrise over the fjord|Fog in the forest this morning",
    "news and politics": "Go and vote on Sunday, please|Inflation is up again and the parliament debates parking fees",
    "photography": "The old camera still takes beautiful pictures #photography|Shot on 35mm film with a 50 mm lens",
    "religion": "Blessed Sunday, the sermon moved me|Thank you Lord for another day",
    "school": "Passed my last exam!!!|First day of term with 28 new pupils",
    "science": "Look at this rocket on its way to the stars #space|Saturn's rings through the telescope",
    "sport": "10 km in 48 minutes, personal best|What a goal in the 90th minute, we are through to the final!",
    "technology": "Upgraded to the new laptop|Our server was down because of one missing semicolon",
    "travel": "Two weeks in Lisbon, trams and custard tarts|Boarding now, next stop Tokyo",
    "work": "Last day at the office before vacation|We are hiring a sales manager, apply now|Promoted to team lead today",
}
NONE_MEANT = ("Hmm.", "What a day", "lol", "Thank you for all the kind words", "ok then 12345", "Anyone else?", "xkqj vlorp")


@cache
def encoder() -> TextEncoder:
    return TextEncoder(str(minilm()))


def counted(*posts: str) -> dict[str, int]:
    return topics.count(encoder()(posts), encoder())


def found(post: str) -> str:
    return next(name for name, count in counted(post).items() if count)


def test_three_posts_of_four_get_the_topic_that_was_meant() -> None:
    meant = [(post, name) for name, posts in MEANT.items() for post in posts.split("|")]
    right = sum(found(post) == name for post, name in meant)
    assert len(meant) == 56
    assert right / len(meant) >= 0.75


def test_posts_without_a_topic_are_other() -> None:
    assert counted(*NONE_MEANT)[OTHER] >= len(NONE_MEANT) - 1


def test_every_topic_is_meant_by_one_of_our_posts() -> None:
    assert MEANT.keys() == TOPICS.keys()


def test_each_post_counts_once_and_topics_without_posts_are_counted_too() -> None:
    counts = counted(*NONE_MEANT, "Sunrise over the fjord")
    assert tuple(counts) == NAMES
    assert sum(counts.values()) == len(NONE_MEANT) + 1


def test_topics_are_named_in_words_that_need_no_quoting() -> None:
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", name) for name in NAMES)


def test_a_topic_that_is_named_goes_before_the_one_that_is_found() -> None:
    posts = ["Sunrise over the fjord", "Baked bread for the first time today"]
    counts = topics.count(encoder()(posts), encoder(), ["travel", None])
    assert {name: count for name, count in counts.items() if count} == {"travel": 1, "food": 1}
