"""What is left out or masked before training, rule by rule: each has a name to count it by and to switch it off."""

import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fedspoke.data.cleaning.boilerplate import is_boilerplate
from fedspoke.data.cleaning.caption import caption
from fedspoke.data.cleaning.masks import unmasked, untagged
from fedspoke.data.cleaning.people import mask_handles, mask_mail
from fedspoke.data.cleaning.phones import mask_phones
from fedspoke.data.cleaning.urls import remove_urls

RULES: Mapping[str, str] = {
    "archived": "Archived posts are left out: their owner took them back.",
    "stories": "Stories are left out: they were meant to be gone after a day.",
    "urls": "Web addresses are removed: nobody can see in a photo where they lead, and the model would make them up.",
    "mail": "Mail addresses become [email]: they are somebody's.",
    "phones": "Phone numbers become [phone]: they are somebody's.",
    "handles": "Names after an @ become @user: they are other people's.",
    "boilerplate": "Texts that a platform or a camera wrote are left out: they say nothing of the photo, nor of the person.",
    "hashtags": "Texts of nothing but hashtags are left out: they teach lists, not sentences.",
    "too_short": "Texts of fewer than three letters are left out: there is nothing to learn to say.",
    "near_texts": "A text alone that says what an earlier post said, numbers and all, is left out: it would be learned by heart.",
    "near_photos": "A photo that looks like an earlier one with the same words is left out, for the same reason.",
}
"""Name of each rule, in the order in which they are applied: what it does, and why."""

# Addresses before numbers before names: `https://x.de/@bob/0171…` is one address, `bob@x.de` no `@x`.
_MASKS: Mapping[str, Callable[[str], str]] = {
    "urls": remove_urls,
    "mail": mask_mail,
    "phones": mask_phones,
    "handles": mask_handles,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanText:
    """`changed` names the rules that changed the text, `dropped` the one that found nothing worth keeping: it is empty then."""

    text: str
    changed: tuple[str, ...] = ()
    dropped: str | None = None


def left_out(kind: str, without: Collection[str] = ()) -> str | None:
    """The rule by which a post of this kind is left out, or None when it stays. `without`: rules that are switched off."""
    rule = {"archived": "archived", "story": "stories"}.get(kind)
    return rule if rule and rule not in without else None


def clean_text(text: str, without: Collection[str] = ()) -> CleanText:
    """A text as training sees it: what `caption` does always, and what the rules that are not in `without` do.

    What one rule takes away may bring together what another looks for. So all are applied until nothing changes: a clean text
    stays as it is. It ends, as every change takes characters of the writer's away.
    """
    before, text = None, caption(text)
    if not text:
        return CleanText(text="")
    changed: dict[str, None] = {}
    while text != before:
        before = text
        for name, mask in _MASKS.items():
            if name not in without and (fewer := mask(text)) != text:
                changed[name], text = None, fewer
        text = caption(text)
    dropped = _worthless(text, without)
    return CleanText(text="" if dropped else text, changed=tuple(changed), dropped=dropped)


def _worthless(text: str, without: Collection[str]) -> str | None:
    words = unmasked(text)
    said = untagged(words)
    if "boilerplate" not in without and is_boilerplate(words.strip()):
        return "boilerplate"
    if "hashtags" not in without and said != words and not _letters(said):
        return "hashtags"
    if "too_short" not in without and _letters(words) < 3:
        return "too_short"
    return None


def _letters(text: str) -> int:
    """Those of scripts without capitals count threefold: 雪 is a word."""
    return sum(3 if unicodedata.category(letter) == "Lo" else 1 for letter in text if letter.isalpha())
