"""The language that a text is written in: noted, never a reason to leave it out."""

import functools

from py3langid import langid  # type: ignore[import-untyped]  # it ships no types

from fedspoke.data.cleaning.masks import unmasked, untagged

_SURE = 0.5
"""Share of the probability that the likeliest of the languages must have: more than all others together."""

_NONE = "zxx"  # ISO 639-2: no linguistic content


def language(text: str) -> str | None:
    """ISO 639 code, or None where the text is too short or too mixed to tell. The same text always has the same answer.

    Hashtags do not count, most of which are English whatever the sentence is.
    """
    code, probability = _identifier().classify(" ".join(untagged(unmasked(text)).split()))
    return str(code) if probability > _SURE and code != _NONE else None


@functools.cache
def _identifier() -> langid.LanguageIdentifier:
    """Loaded once a process, when the first text asks: it takes most of a second."""
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
