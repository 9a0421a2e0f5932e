"""What there is to upload on this machine."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fedspoke.api import files
from fedspoke.api.errors import Refused
from fedspoke.data.progress import Progress
from fedspoke.upload.manifest import File, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The manifest, and where each of its files is."""

    manifest: Manifest
    paths: Mapping[str, Path]


def listed(paths: Sequence[Path], progress: Progress) -> Content:
    """What is at these paths: the files of a folder under their names in it, a file under its own.

    Args:
        paths: of an export, or of a model's folder.
        progress: hears how many files were read.

    Raises:
        Refused: two files would get the same name, or there is none.
    """
    found = [(name, path) for each in paths for name, path in _files(each)]
    twice = next((name for name, count in Counter(name for name, _ in found).items() if count > 1), None)
    if twice:
        raise Refused(f"two of the files are named {twice}; upload what belongs together from one folder")
    if not found:
        raise Refused(f"there is no file in {', '.join(map(str, paths))}")
    made = []
    for number, (name, path) in enumerate(found, 1):
        made.append(File(name=name, size=path.stat().st_size, digest=files.sha256(path)))
        progress("files read", number, len(found))
    return Content(manifest=Manifest(files=tuple(made)), paths=dict(found))


def summed(content: Content, folder: Path) -> Content:
    """With `SHA256SUMS` among a model's files, by which whoever uses it can check it; it is written into `folder`."""
    if files.SUMS in content.paths:  # the owner's own, which was checked before
        return content
    path = folder / files.SUMS
    path.write_text("".join(f"{it.digest}  {it.name}\n" for it in content.manifest.files))
    own = File(name=files.SUMS, size=path.stat().st_size, digest=files.sha256(path))
    return Content(manifest=Manifest(files=(*content.manifest.files, own)), paths={**content.paths, files.SUMS: path})


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield str(PurePosixPath(file.relative_to(path))), file
