"""The layout that both platforms move to, file by file: a time, media, and fields that are found by their label.

`label_values` is a list of `{label, value | media | dict …}`, `string_map_data` an object of `{value, timestamp}` by label.
Labels are in the account's language: an entry without one of those that we know for a caption may have it under another.

Fields that hold further fields describe other people (an owner, a co-author) and are not read.
"""

from typing import Any

from fedspoke.data.exports.loose import objects, text, timestamp
from fedspoke.data.exports.post import Kind, Medium, RawPost

# In a language that is not here, a caption is still found beside its medium.
_WORDS = (
    *("caption", "text", "message", "description", "bildunterschrift", "légende", "pie de foto", "didascalia", "legenda"),
    *("bijschrift", "bildtext", "billedtekst", "bildetekst", "podpis", "подпись", "açıklama", "キャプション"),
)
_TIMES = ("time", "creation time", "creation timestamp")


def labelled(entry: dict[str, Any], kind: Kind, words: str) -> RawPost | None:
    """An entry of this layout, or None when it is of another one.

    Args:
        entry: one entry of a listing.
        kind: what it is.
        words: the key at which a medium has the words that are its own.
    """
    if not isinstance(entry.get("label_values"), list) and not isinstance(entry.get("string_map_data"), dict):
        return None
    fields = [(text(field, "label").casefold(), field) for field in objects(entry, "label_values")]
    mapped = entry.get("string_map_data")
    fields += [(label.casefold(), field) for label, field in mapped.items()] if isinstance(mapped, dict) else []
    media = [*objects(entry, "media"), *objects(entry, "media_list_data")]
    media += [medium for _, field in fields for medium in objects(field, "media")]
    times = [timestamp(field, key) for label, field in fields if label in _TIMES for key in ("timestamp_value", "timestamp")]
    times += [timestamp(medium, "creation_timestamp") for medium in media]
    # A value that leads somewhere is an address.
    told = any(text(field, "value") and not text(field, "href") and label not in _TIMES for label, field in fields)
    return RawPost(
        kind=kind,
        text=next(filter(None, (text(field, "value") for label, field in fields if label in _WORDS)), ""),
        timestamp=next(filter(None, (timestamp(entry, "timestamp"), *times)), None),
        media=tuple(Medium(text(medium, "uri"), text(medium, words)) for medium in media if text(medium, "uri")),
        unknown_label=told and not any(label in _WORDS for label, _ in fields),
    )
