"""A function over many things, on all cores, in processes that may die of one of them.

Photos are decoded by C libraries. What a stranger's file does to one of these (a crash, a loop without end, memory without
bound) ends a process of ours and costs that one photo.
"""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from fedspoke.api.errors import Failed

CPU_SECONDS = 60
"""For one item, whose like takes a tenth of one. Of CPU, not of the clock: a busy machine must lose nothing that others keep."""

_SILENCE = 600  # seconds of the clock without any answer: the export's disk does not answer either
_START = 60  # seconds, of which a busy machine takes a few
_AHEAD = 16  # answers a process, at most, that wait for an earlier one
_TOGETHER = 50
_MODULE = "fedspoke.data.worker"

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


def each(
    function: Callable[[T], R], items: Iterable[T], lost: R, *, processes: int | None = None, seconds: float = CPU_SECONDS
) -> Iterator[tuple[T, R]]:
    """The items in their order, each with the function's answer, or with `lost` where it ended its process or raised an error.

    Items are read only as far ahead as processes are free, so both ends may be endless. Function, items and answers are
    pickled; closing the iterator ends the processes.

    Raises:
        Failed: no process can be started, or none has answered for ten minutes.
    """
    crew = _Crew(function, seconds, processes or cores())
    source = enumerate(items)
    working: dict[int, T] = {}
    done: dict[int, R] = {}
    due = 0
    try:
        while True:
            while crew.is_free and len(done) < _AHEAD * crew.limit and (task := next(source, None)):
                working[task[0]] = task[1]
                crew.give(*task)
            if due in done:
                yield working.pop(due), done.pop(due)
                due += 1
            elif working:
                done |= {number: lost if error else answer for number, answer, error in crew.answers()}
            else:
                return
    finally:
        crew.end()


def each_of_many(function: Callable[[T], R], items: Iterable[T], lost: R) -> Iterator[tuple[T, R]]:
    """As `each`, for items that take less than their way to another process and back: many go there at once.

    Where one of them ends the process or raises an error, all of them are given out again, one by one.
    """
    source = iter(items)
    for together, answers in each(partial(_all, function), iter(lambda: list(islice(source, _TOGETHER)), []), None):
        yield from each(function, together, lost) if answers is None else zip(together, answers, strict=True)


def _all(function: Callable[[T], R], items: list[T]) -> list[R] | None:
    return [function(item) for item in items]


def cores() -> int:
    """How many cores this process may use: its affinity, less where its container has a quota."""
    affinity = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(affinity, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup v2, or the quota is `max`
        return affinity


@dataclass(frozen=True, slots=True)
class _Worker:
    connection: Connection
    process: int  # a descriptor, since a number may be another's by the time that it is killed

    def end(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, signal.SIGKILL)
            select.select([self.process], [], [], 1)  # longer only where a dead disk holds it
        os.close(self.process)
        self.connection.close()


class _Crew:
    """Workers, each of which has one item at most: what it had when it died is what it died of."""

    def __init__(self, function: Callable[[Any], Any], seconds: float, limit: int) -> None:
        self.limit = limit
        self._function, self._seconds = function, seconds
        self._idle: list[_Worker] = []
        self._busy: dict[object, tuple[_Worker, int]] = {}  # by connection, with the item's number

    @property
    def is_free(self) -> bool:
        return len(self._busy) < self.limit

    def give(self, number: int, item: object) -> None:
        """Have an item worked on."""
        while True:
            worker = self._idle.pop() if self._idle else _start(self._function, self._seconds)
            try:
                worker.connection.send(item)
            except OSError:  # killed while it was idle, say for the sake of another's memory
                worker.end()
            else:
                self._busy[worker.connection] = (worker, number)
                return

    def answers(self) -> Iterator[tuple[int, Any, str | None]]:
        """What is there, at least one: an item's number with the function's answer, or with what went wrong."""
        ready = wait([worker.connection for worker, _ in self._busy.values()], _SILENCE)
        if not ready:
            raise Failed(
                f"{len(self._busy)} files are being read for {_SILENCE // 60} minutes without an end; is their disk there?"
            )
        for connection in ready:
            worker, number = self._busy.pop(connection)
            try:
                answer, error = worker.connection.recv()
                self._idle.append(worker)
            except (EOFError, OSError):
                worker.end()
                answer, error = None, "its process died"
            if error:
                _log.info("an item was lost: %s", error)
            yield number, answer, error

    def end(self) -> None:
        """Nobody waits for an answer any more."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.end()


class _Server:
    """The process that workers are forked from, started when it is needed, and again when it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def fork(self) -> Connection:
        """A connection to a new worker; to nobody if there is no server any more.

        Raises:
            OSError: no process can be started.
        """
        with self._lock:
            if self._control is None:
                self._control = _serving()
            ours, theirs = socket.socketpair()
            with theirs, suppress(OSError):  # closed by us, it is closed for `ours`
                socket.send_fds(self._control, [b"w"], [theirs.fileno()])
            return Connection(ours.detach())

    def forget(self) -> None:
        """It has ended."""
        with self._lock:
            if self._control:
                self._control.close()
            self._control = None


_server = _Server()


def _serving() -> socket.socket:
    ours, theirs = socket.socketpair()
    # No module of the folder that the caller is in (-P), which may be a stranger's; output is the caller's own. In a session of
    # its own, Ctrl-C does not reach it: it ends when the caller does.
    command = [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno())]
    modules = os.pathsep.join(filter(None, sys.path))
    with theirs:
        process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": modules},
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # else it would stay in the list of processes when it has ended
    return ours


def _start(function: Callable[[Any], Any], seconds: float) -> _Worker:
    for _ in range(2):  # the server may just have ended, having been idle
        connection = _server.fork()
        try:
            connection.send((function, seconds))
            if connection.poll(_START):
                return _Worker(connection, os.pidfd_open(connection.recv()))
        except (EOFError, OSError):
            pass
        connection.close()
        _server.forget()
    raise Failed("no process can be started to decode photos in; the lines above, or the log, say why")
