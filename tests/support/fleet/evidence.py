"""What is kept of a fleet when a test fails: the words of all its programs and pods, and the objects that tell what happened."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from support.fleet import ocm
from support.fleet.kubernetes import JOB, NODE, POD, REQUEST, SERVICE, Kind, Kubernetes, Rejected, Unreachable

_EVENT = Kind("v1", "events")
_KINDS = (NODE, POD, JOB, SERVICE, _EVENT, REQUEST, *ocm.KINDS, ocm.WORK, ocm.ADDON, ocm.MANAGEMENT_ADDON)


def logs(folders: Iterable[Path], kept: Path) -> None:
    """Copy the logs of clusters, each to a folder by its name."""
    for folder in folders:
        if (folder / "log").exists():
            shutil.copytree(folder / "log", kept / folder.name, dirs_exist_ok=True, symlinks=True)


def objects(kubernetes: Kubernetes, kept: Path) -> None:
    """Write a cluster's objects, a file a kind; a cluster that does not answer says so there."""
    kept.mkdir(parents=True, exist_ok=True)
    for kind in _KINDS:
        try:
            found = kubernetes.all(kind)
        except Rejected:  # not a kind of this cluster
            continue
        except Unreachable as error:
            (kept / "unreachable.txt").write_text(f"{error}\n")
            return
        if found:
            (kept / f"{kind.plural}.yaml").write_text(yaml.safe_dump_all(found, sort_keys=False))
