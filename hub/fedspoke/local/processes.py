"""The containers of a pod as processes of this machine, so that a laptop runs what a cluster would run.

Whoever starts them ends them: on success, on error, on Ctrl-C, and (through the kernel's parent-death signal) when this
process is killed. Nothing is left behind, not even what a child's child left to itself.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Object

_GRACE = 5.0  # seconds between the polite signal and the final one
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Process:
    """One running container: whose it is, where it logs."""

    pod: str
    container: str
    log: Path
    popen: subprocess.Popen[bytes]
    begin: int = 0
    """Where in its log it begins: those before it in the same container wrote what comes first."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal that ended it, as subprocess has it."""
        return self.popen.poll()

    def last_words(self) -> str:
        """The last line that it logged, which most often says why it ended."""
        text = self.log.read_bytes()[self.begin :].decode(errors="replace")
        lines = [line.strip() for line in click.unstyle(text).splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it logged nothing"


@dataclass(slots=True)
class Machine:
    """Starts containers as processes; their stdout and stderr go to `logs/<pod>-<container>.log`."""

    logs: Path
    processes: list[Process] = field(default_factory=list)

    def start(self, pod: str, container: Object) -> Process:
        """Start one container (core/v1) of a pod: its command, args and literal environment."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{pod}-{container['name']}.log"
        # Several trainers share this machine: with more threads than cores between them each takes many times as long.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        # What a cluster takes from a Secret is in this user's own environment.
        environment |= {entry["name"]: entry["value"] for entry in container.get("env", []) if "value" in entry}
        # console scripts of this very environment (envoy, flower-superlink, …), even when it is not activated
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
        with log.open("ab") as sink:
            begin = sink.tell()
            popen = subprocess.Popen(
                # At once: whoever goes on after this process was killed must find neither ports nor files in use.
                ["setpriv", "--pdeathsig", "KILL", *_command([*container["command"], *container.get("args", [])])],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others in order
            )
        process = Process(pod, container["name"], log, popen, begin)
        self.processes.append(process)
        return process

    def stop(self, pod: str | None = None) -> None:
        """End one pod, or everything below this process, and wait until it is gone."""
        chosen = [process for process in self.processes if pod in (None, process.pod)]
        roots = [process.popen for process in chosen if process.exit_code is None]
        trees = _descendants(None if pod is None else roots)
        for popen in roots:
            popen.terminate()
        _, survivors = psutil.wait_procs(trees, timeout=_GRACE)
        if pod is None:
            survivors = _descendants(None)  # also what was started since, or orphaned
        for survivor in survivors:
            _kill(survivor)
        psutil.wait_procs(survivors, timeout=_GRACE)
        self.processes = [process for process in self.processes if process not in chosen]


@contextmanager
def machine(logs: Path) -> Iterator[Machine]:
    """A machine that is empty again when the block is left, however it is left.

    Ctrl-C, SIGTERM and SIGHUP leave it by an exception, not by sudden death.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans come to us, not to init
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    running = Machine(logs)
    try:
        yield running
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # whoever is impatient must not leave processes behind
        try:
            running.stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _interrupt(number: int, _frame: object) -> None:
    raise Failed(f"ended by {signal.Signals(number).name}; run the same command again to go on from the last finished round")


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "fedspoke.cli", *words[1:]] if words[0] == "fedspoke" else list(words)


def _descendants(roots: Sequence[subprocess.Popen[bytes]] | None) -> list[psutil.Process]:
    """The processes below `roots`, these included; None: everything below this process."""
    if roots is None:
        return psutil.Process().children(recursive=True)
    found: list[psutil.Process] = []
    for root in roots:
        try:
            process = psutil.Process(root.pid)
            found += [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
    return found


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
