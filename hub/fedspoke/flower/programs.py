"""Flower's daemons as children of ours: quiet, offline, and gone when we are."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import psutil

from fedspoke.api.errors import Failed, Final

FLOWER = "1.41.0"
"""The one release whose internals `apps` and the hub's `submit` know; pyproject.toml pins it."""

GRACE = 2.0
"""Seconds that a process tree has to end by itself before it is killed; Flower keeps nothing that is worth more."""

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None, use_errno=True)


def environment(home: Path) -> dict[str, str]:
    """What Flower must be told: keep its files in `home`, send no telemetry, ask nobody for updates, use no proxy.

    Flower reads these when it is imported: a process that imports Flower itself sets them first.
    """
    return {
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def daemon(name: str, arguments: list[str], home: Path) -> Iterator[psutil.Popen]:
    """`flower-superlink` or `flower-supernode`, from start to end; whatever it started ends with it.

    Raises:
        Final: there is no such program beside this Python, or another Flower than ours.
    """
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        raise Final(
            f"there is no {program}; install fedspoke with the extra that this process needs (aggregator or collaborator)"
        )
    if (found := version("flwr")) != FLOWER:
        raise Final(f"Flower {found} is installed, and fedspoke works with {FLOWER} alone; install flwr=={FLOWER}")
    # Flower installs the app's names here once, and does not look again whether it was killed half-way.
    shutil.rmtree(home / "apps", ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    child = psutil.Popen(
        [str(program), *arguments],
        env={**os.environ, **environment(home)},
        stdin=subprocess.DEVNULL,
        preexec_fn=partial(end_with, os.getpid()),
    )
    try:
        yield child
    finally:
        end(child)


def end_with(parent: int) -> None:
    """Called first in a process that `parent` has started: the kernel kills it when that ends, however that ends.

    Else a daemon whose owner was killed would keep its port, and an app would write beside the one that follows it.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended meanwhile
        os._exit(1)


def called(name: str) -> None:
    """Give this process a name of its own, of fifteen letters at most: `ps` and `pkill` would take a fork for its parent."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def end(process: psutil.Process) -> None:
    """Ask a process and all below it to end, wait, and kill what is left."""
    try:
        tree = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        tree = [process]
    for member in tree:
        _signal(member, "terminate")
    _, alive = psutil.wait_procs(tree, timeout=GRACE)
    for member in alive:
        _signal(member, "kill")
    psutil.wait_procs(alive, timeout=GRACE)


def _signal(process: psutil.Process, verb: str) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, verb)()


def free(port: int, owner: str) -> None:
    """Nobody listens where a daemon is about to.

    Raises:
        Failed: somebody does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failed(f"port {port} of 127.0.0.1, meant for {owner}, cannot be had ({error.strerror})") from None
