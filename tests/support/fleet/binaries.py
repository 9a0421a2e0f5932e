"""Kubernetes' and OCM's own programs, built once from pinned Go modules and kept in the user's cache.

Neither a cluster nor an image registry is needed to test against the real ones: Go's module proxy has their sources, and
`go/*/go.sum` says to the byte which. What is kept is named by a digest of all that it is built from, so that nothing stale
is ever used.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.errors import Failed

MODULES = Path(__file__).parent / "go"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fedspoke" / "fleet"

_SECONDS = 40 * 60
"""For one program: ten times what the longest takes on two cores."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Program:
    """A program: the module of `go/` that pins it, its package, the linker's flags, and the minutes of its first build."""

    module: str
    package: str
    minutes: int
    ldflags: str = "-s -w"


# A Kubernetes that is not built by its own Makefile says that it is v0.0.0, and refuses what needs a newer one.
_VERSION = " ".join(
    ["-s -w"] + [f"-X k8s.io/component-base/version.git{name}" for name in ("Version=v1.35.4", "Major=1", "Minor=35")]
)

PROGRAMS = {
    "etcd": Program("etcd", "go.etcd.io/etcd/server/v3", 2),
    "kube-apiserver": Program("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", 4, _VERSION),
    "kube-controller-manager": Program("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", 2, _VERSION),
    "kube-scheduler": Program("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", 1, _VERSION),
    "kubelet": Program("kubernetes", "k8s.io/kubernetes/cmd/kubelet", 1, _VERSION),
    "kube-proxy": Program("kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", 1, _VERSION),
    "kubectl": Program("kubernetes", "k8s.io/kubernetes/cmd/kubectl", 1, _VERSION),
    "placement": Program("ocm", "open-cluster-management.io/ocm/cmd/placement", 4),
    "registration": Program("ocm", "open-cluster-management.io/ocm/cmd/registration", 1),
    "work": Program("ocm", "open-cluster-management.io/ocm/cmd/work", 1),
    "addon": Program("ocm", "open-cluster-management.io/ocm/cmd/addon", 1),
}


def program(name: str, say: Say = print) -> Path:
    """The program's file; built first if it is not kept yet.

    Raises:
        Failed: there is no Go on this machine, or the build fails.
    """
    wanted = PROGRAMS[name]
    kept = _CACHE / f"{name}-{_digest(wanted.module, wanted.package, wanted.ldflags)}"
    if not kept.exists():
        began = time.monotonic()
        say(f"building {name} from {wanted.package}: once, {wanted.minutes} minutes or less on two cores; kept in {_CACHE}")
        with _arriving(kept) as arriving:
            flags = ["-mod=readonly", "-trimpath", f"-ldflags={wanted.ldflags}", f"-o={arriving}"]
            _go(wanted.module, "build", *flags, wanted.package)
        say(f"built {name} in {time.monotonic() - began:.0f} s")
    return kept


def manifests(module: str, package: str, path: str, say: Say = print) -> Path:
    """A folder of YAML files that a Go package carries, `path` below it; `module` is the one of `go/` that pins it.

    Raises:
        Failed: there is no Go on this machine, or the package cannot be fetched.
    """
    kept = _CACHE / f"{Path(path).name}-{_digest(module, package, path)}"
    if not kept.exists():
        say(f"fetching {path} of {package}; kept in {_CACHE}")
        _go(module, "mod", "download", package)
        source = Path(_go(module, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", package).strip())
        with _arriving(kept) as arriving:
            for file in (source / path).rglob("*.yaml"):
                copy = arriving / file.relative_to(source / path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)  # without its mode: Go keeps its modules unwritable
    return kept


@contextmanager
def _arriving(kept: Path) -> Iterator[Path]:
    """Where to write what is to be kept: in the same folder, renamed once it is whole, removed if it never is."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".arriving-", dir=kept.parent) as folder:
        arriving = Path(folder) / kept.name
        yield arriving
        arriving.rename(kept)


def _digest(module: str, *what: str) -> str:
    pinned = [(MODULES / module / file).read_bytes() for file in ("go.mod", "go.sum")]
    return hashlib.sha256(b"\0".join([*pinned, *map(str.encode, what)])).hexdigest()[:16]


def _go(module: str, *arguments: str) -> str:
    """What Go says, in the folder of one of the modules."""
    places = [
        os.environ.get("PATH", ""),
        "/usr/local/go/bin",
        str(Path(sys.executable).parent),
    ]  # the last is where `make go` puts it
    go = shutil.which("go", path=os.pathsep.join(places))
    if go is None:
        raise Failed("Kubernetes and OCM are built from source for these tests: install Go 1.26 or newer, or run `make go`")
    command, folder = [go, *arguments], MODULES / module
    try:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"`go {' '.join(arguments)}` in {folder} is not done after {_SECONDS // 60} minutes; try again") from late
    if ran.returncode:
        raise Failed(f"`go {' '.join(arguments)}` failed in {folder}: {' | '.join(ran.stderr.splitlines()[-3:])}")
    return ran.stdout
