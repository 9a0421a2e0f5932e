"""A federation whose processes are killed while it runs: which ones, and when, is drawn from a seed."""

import random
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from safetensors import safe_open

from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.checkpoint import State
from support import changed

_POLL = 0.05
_STUCK = 300.0
"""Seconds in which something must have come to pass, on a machine however busy."""


class Tree:
    """The processes below one run, at one moment."""

    def __init__(self, root: psutil.Process) -> None:
        self.root = root
        self.words: dict[psutil.Process, list[str]] = {}
        self.forks: set[psutil.Process] = set()
        with suppress(psutil.NoSuchProcess):
            for process in root.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    self.words[process] = process.cmdline()
                    parent = process.parent()
                    if parent and parent.cmdline() == self.words[process]:
                        self.forks.add(process)

    def all(self, program: str, place: str = "", *, fork: bool = False) -> list[psutil.Process]:
        """Those that run this program or sub-command and have this place in one of their paths."""
        return [
            process
            for process, words in self.words.items()
            if program in (word.rpartition("/")[2] for word in words[:4])
            and any(place in word for word in words)
            and (process in self.forks) == fork
        ]


VICTIMS: dict[str, Callable[[Tree], list[psutil.Process]]] = {
    "run": lambda tree: [tree.root],
    "aggregator": lambda tree: tree.all("aggregator"),
    "SuperLink": lambda tree: tree.all("flower-superlink"),
    "ServerApp": lambda tree: tree.all("aggregator", fork=True),
    "fusion": lambda tree: tree.all("fusion"),
    "hub's gateway": lambda tree: tree.all("envoy", "/hub/"),
    "spoke's gateway": lambda tree: tree.all("envoy", "/clusters/"),
    "trainer": lambda tree: tree.all("mcp"),
    "flower-client": lambda tree: tree.all("collaborator"),
    "SuperNode": lambda tree: tree.all("fedspoke-flower-supernode"),
    "flow or ClientApp": lambda tree: tree.all("collaborator", fork=True),
    "trainer between two steps": lambda tree: [process for process in tree.all("mcp") if _between(tree.words[process])],
}


def _between(words: list[str]) -> bool:
    """Whether a trainer of this command line has taken a step of a round, and has another to take."""
    settings = CollaboratorSettings.model_validate_json(Path(words[words.index("--settings") + 1]).read_bytes())
    try:
        with safe_open(Path(settings.output) / "training" / "checkpoint.safetensors", "np") as file:
            state = State.model_validate_json(file.metadata()["state"])
    except FileNotFoundError:
        return False
    return state.step < (settings.training.steps or 0)


@dataclass(frozen=True)
class Kill:
    """One of these is killed, so many events after the kill before it, and so many seconds after that event."""

    victim: str
    events: int
    seconds: float


def plan(seed: int, victims: Iterable[str], kills: int = 0) -> list[Kill]:
    """Each of these victims once, in any order, and then some up to so many kills; the run is killed once at most."""
    chance, chosen = random.Random(seed), [*victims]
    chosen += chance.choices([victim for victim in chosen if victim != "run"], k=max(0, kills - len(chosen)))
    chance.shuffle(chosen)
    return [Kill(victim, chance.randint(1, 3), chance.uniform(0, 2)) for victim in chosen]


@dataclass
class Disturbed:
    """A run that goes on being started until it ends by itself; nothing of it outlives the block."""

    command: list[str]
    out: Path
    log: Path
    seed: int
    done: list[str] = field(default_factory=list)
    """What was killed so far, and when."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._began = time.monotonic()
        self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.run.kill()  # and with it all that it started
        self.run.wait()

    def to_the_end(self, kills: list[Kill], *, in_rounds: bool) -> int:
        """The run's exit status, after all these kills or as many as there was time for; `in_rounds`: none before round 1."""
        events = dropwhile(lambda _: in_rounds and not self._trains(), self._events())
        for kill in kills:
            for _ in range(kill.events):
                next(events, None)
            time.sleep(kill.seconds)  # not for anything to happen, but for the moment to be any
            while self.run.poll() is None and not self._kill(kill.victim):
                time.sleep(_POLL)
            if self.run.poll() is not None:
                break
        for _ in events:
            pass
        return self.run.wait()

    def _started(self) -> None:
        with self.log.open("ab") as sink:
            self.run = subprocess.Popen(self.command, stdout=sink, stderr=sink, cwd=changed.FOLDER)

    def _events(self) -> Iterator[None]:
        """Any change in what the hub or a collaborator says of itself, to the end of the run."""
        seen, since = self._told(), time.monotonic()
        while self.run.poll() is None:
            time.sleep(_POLL)
            told = self._told()
            if told != seen:
                seen, since = told, time.monotonic()
                yield
            assert time.monotonic() - since < _STUCK, f"nothing has come to pass for {_STUCK:.0f} s; {self}"

    def _trains(self) -> bool:
        return any(b"the training of round" in file for file in self._told())

    def _told(self) -> list[bytes]:
        told: list[bytes] = []
        for file in (self.out / "hub/state/progress.json", *sorted(self.out.glob("clusters/*/workflow.json"))):
            with suppress(FileNotFoundError):  # a run that is started again removes what the one before it said
                told.append(file.read_bytes())
        return told

    def _kill(self, victim: str) -> bool:
        tree = Tree(psutil.Process(self.run.pid))
        found = sorted(VICTIMS[victim](tree), key=lambda process: process.pid)
        if not found:
            return False
        chosen = self._chance.choice(found)
        with suppress(psutil.NoSuchProcess):
            chosen.kill()
            self.done.append(f"{time.monotonic() - self._began:.1f} s: {victim} ({chosen.pid})")
        if chosen == tree.root:
            self.run.wait()
            _, alive = psutil.wait_procs(tree.words, timeout=30)
            assert alive == [], f"{alive} outlived the run; {self}"
            self._started()
        return True

    def __str__(self) -> str:
        return f"seed {self.seed}, killed so far: {'; '.join(self.done)}"
