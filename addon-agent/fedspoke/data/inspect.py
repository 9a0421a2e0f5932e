"""What an export holds, in numbers: nothing is written, no photo is opened, and nothing of a post is told."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.errors import Failed
from fedspoke.api.names import Platform
from fedspoke.data.exports.export import find
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import RawPost
from fedspoke.data.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Posts that can be learned from and the photos that they name, by `kinds`; why the rest is `skipped`; seconds since 1970."""

    platform: Platform
    posts: int
    images: int
    videos: int
    kinds: dict[str, int]
    skipped: dict[str, int]
    first: int | None
    last: int | None


def inspect(paths: Sequence[Path], progress: Progress) -> Contents:
    """Count what the export at these paths holds: a folder, a zip, or several parts of one.

    Raises:
        Refused: there is no one export there.
        Failed: nothing of what lists its posts can be read.
    """
    export = find(paths)
    skipped, kinds = Counter[str](), Counter[str]()
    images, first, last, read = 0, None, None, 0

    def entries() -> Iterator[RawPost]:
        nonlocal read
        for read, entry in enumerate(export.entries(skipped), 1):  # noqa: B007  the count is told below
            yield entry

    for number, post in enumerate(usable(entries(), export.files.lacking, skipped), 1):
        progress("posts", number, None)
        kinds[post.kind] += 1
        images += len(post.images)
        if post.timestamp is not None:
            first = post.timestamp if first is None else min(first, post.timestamp)
            last = post.timestamp if last is None else max(last, post.timestamp)
    if not read and (files := skipped["unreadable_json"]):
        raise Failed(
            f"the {export.platform} export cannot be read: none of the files that should list posts ({files}) is whole, "
            "or of a layout that is known; ask the platform for it again"
        )
    return Contents(
        platform=export.platform,
        posts=kinds.total(),
        images=images,
        videos=skipped["video"],
        kinds=dict(sorted(kinds.items())),
        skipped=dict(sorted((+skipped).items())),
        first=first,
        last=last,
    )
