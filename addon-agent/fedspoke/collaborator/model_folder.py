"""A LLaVA as a folder of files: found, fetched, and there whole or not at all.

Nothing here reads the weights, so that the command answers at once and not after torch's seven seconds.
"""

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from fedspoke.api.errors import Failed, Refused
from fedspoke.collaborator import cached, sums

_S3 = "s3://"
_FILES = ["*.json", "*.jinja", "*.model", "*.safetensors"]
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


def find(name: str, cache: Path | None = None) -> Path:
    """The folder that holds the LLaVA of this path, or of this name: one on the model hub, or `s3://bucket/folder`. By name it is
    fetched into the cache if it is not there.

    A path is never looked up on a network. Two processes that want one model at once fetch it once.

    Raises:
        Refused: there is no such model, or it is no LLaVA, or not as its `SHA256SUMS` says.
        Failed: the model hub or S3 does not give it, or not as it says it is; or it cannot be kept here.
    """
    if name.startswith(_S3):
        from fedspoke.collaborator.from_bucket import fetched  # what speaks to S3 takes its time, and few need it

        home = cache or Path(constants.HF_HOME) / "s3"
        with _keeping(name, home):
            return fetched(name, home, _FILES, lambda folder: _require_llava(folder, name))
    if Path(name).is_dir():
        _require_llava(Path(name), name)
        sums.check(Path(name), _FILES)
        return Path(name)
    if name.startswith((".", "/", "~")):
        raise Refused(f"there is no folder {name}; name one that holds a LLaVA, such as `fedspoke model tiny` makes")
    try:
        with _keeping(name, cache or Path(constants.HF_HUB_CACHE)):
            # The 14 GB come after the file that says whether they are a LLaVA.
            _require_llava(Path(snapshot_download(name, allow_patterns="config.json", cache_dir=cache)), name)
            snapshot = Path(snapshot_download(name, allow_patterns=_FILES, cache_dir=cache))
            cached.check(snapshot)
    except (Failed, Refused):
        raise
    except HFValidationError as error:
        raise Refused(f"{name!r} is neither a folder nor a model's name, which looks like llava-hf/llava-1.5-7b-hf") from error
    except RepositoryNotFoundError as error:
        raise Refused(f"the model hub knows no {name} that is open to you; check the name, or set HF_TOKEN") from error
    except LocalEntryNotFoundError as error:
        raise Failed(
            f"{name} is not on this machine and the model hub cannot be reached (HF_HUB_OFFLINE, HF_ENDPOINT, network); "
            "try again, or give a folder's path"
        ) from error
    except Exception as error:  # the HTTP library's own, which changes with the hub client's releases
        raise Failed(f"the model hub broke off while giving {name} ({type(error).__name__}); try again") from error
    return snapshot


def download(name: str, directory: Path) -> None:
    """Put a model, by name or path, into a new folder. A download that broke off goes on where it was.

    Raises:
        Refused: the folder holds something already, there is no such model, or it is no LLaVA.
        Failed: the model hub or S3 does not give it.
    """
    with new(directory) as partial:
        cache = partial.with_suffix(".download")  # beside the folder, so that 14 GB of weights are moved, not copied
        folder = find(name, cache)
        for file in sorted(file for pattern in _FILES for file in folder.glob(pattern)):
            if file.suffix == ".safetensors" and folder.is_relative_to(cache):
                file.resolve().replace(partial / file.name)
            else:
                shutil.copyfile(file, partial / file.name)
    shutil.rmtree(cache, ignore_errors=True)


@contextmanager
def new(directory: Path) -> Iterator[Path]:
    """A folder to fill, which appears under its name once that is done.

    Raises:
        Refused: the name is taken, or the folder cannot be made.
    """
    directory = directory.resolve()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Refused(f"{directory} exists and is not empty; name a new folder")
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise Refused(f"{directory} cannot be made: {error.strerror}") from error
    try:
        yield partial
        partial.replace(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _keeping(name: str, home: Path) -> Iterator[None]:
    """What a disk says of a model that is fetched, in a sentence for whoever has given the volume."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CLOSED:
            raise
        right = "on a cluster, the volume of training.model.claimName must let any user write, and have room for it"
        raise Failed(f"{name} cannot be kept in {home}: {error.strerror}; {right}") from error


def _require_llava(folder: Path, name: str) -> None:
    try:
        kind = json.loads((folder / "config.json").read_text())["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{name} is no model: it has no config.json that names a model_type") from error
    if kind != "llava":
        raise Refused(f"{name} is a model of type {kind}; only LLaVA 1.5 (type llava) can be trained")
