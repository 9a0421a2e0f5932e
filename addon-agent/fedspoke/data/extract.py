"""From an export to its useful fields: `raw_<platform>_data.json` holds what was posted, `dummy_data.json` what can be used."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from fedspoke.data.exports.export import Export
from fedspoke.data.exports.merge import usable
from fedspoke.data.exports.post import RawPost
from fedspoke.data.output import Output
from fedspoke.data.progress import Progress

EXTRACTED = "dummy_data.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """An export whose useful fields are in `dummy_data.json`: how many posts these are, and why the rest is not among them."""

    export: Export
    fingerprint: str
    posts: int
    skipped: dict[str, int]


def extract(export: Export, output: Output, progress: Progress) -> Extracted:
    """Write both files anew; posts are in the order of time.

    Raises:
        Failed: the folder cannot be written to; it holds what it held before.
    """
    fingerprint = export.files.fingerprint()
    skipped, posts = Counter[str](), 0
    with output.writing(f"raw_{export.platform}_data.json") as add_raw, output.writing(EXTRACTED) as add_post:

        def entries() -> Iterator[RawPost]:
            for number, entry in enumerate(export.entries(skipped), 1):
                add_raw(asdict(entry))
                progress("entries read", number, None)
                yield entry

        for post in usable(entries(), export.files.lacking, skipped):
            add_post(asdict(post))
            posts += 1
            progress("posts found", posts, None)
    return Extracted(export=export, fingerprint=fingerprint, posts=posts, skipped=dict(sorted(skipped.items())))
