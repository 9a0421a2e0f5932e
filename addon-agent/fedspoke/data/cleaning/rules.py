"""What is left out or masked before training, rule by rule: each has a name to count it by and to switch it off."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fedspoke.data.cleaning.caption import caption

RULES: Mapping[str, str] = {
    "archived": "Archived posts are left out: their owner took them back.",
    "stories": "Stories are left out: they were meant to be gone after a day.",
    "urls": "Web addresses are removed: the model would learn to make them up.",
    "mail": "Mail addresses become [email]: they are somebody's.",
    "phones": "Phone numbers become [phone]: they are somebody's.",
    "handles": "Names after an @ become @user: they are other people's.",
    "boilerplate": "What a platform or a camera wrote is left out: it says nothing of the photo and nothing of the person.",
    "hashtags": "Texts of nothing but hashtags are left out: they teach lists, not sentences.",
    "too_short": "Texts of fewer than three letters are left out: there is nothing to learn to say.",
    "near_texts": "A text alone that says what an earlier post said is left out: repeated, it would be learned by heart.",
    "near_photos": "A photo that looks like an earlier one with the same words is left out, for the same reason.",
}
"""Name of each rule, in the order in which they are applied, and what it does and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanText:
    """`changed` names the rules that changed the text, `dropped` the one that left nothing of it worth keeping (`text` is "")."""

    text: str
    changed: tuple[str, ...] = ()
    dropped: str | None = None


def left_out(kind: str, without: Collection[str] = ()) -> str | None:
    """The rule by which a post of this kind is left out, or None when it stays. `without`: rules that are switched off."""
    rule = {"archived": "archived", "story": "stories"}.get(kind)
    return rule if rule and rule not in without else None


def clean_text(text: str, without: Collection[str] = ()) -> CleanText:
    """A text as training sees it: what `caption` does always, and what the rules that are not in `without` do."""
    return CleanText(text=caption(text))
