"""A function over many things, on all cores, in processes that may die of one of them.

Photos are decoded by C libraries. What a stranger's file does to one of these (a crash, a loop without end, memory without
bound) ends a process of ours and costs that one photo.
"""

import io
import logging
import os
import pickle
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
from fedspoke.data.worker import MEMORY

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
    function: Callable[[T], R],
    items: Iterable[T],
    lost: R,
    *,
    returns: type | None = None,
    processes: int | None = None,
    seconds: float = CPU_SECONDS,
) -> Iterator[tuple[T, R]]:
    """The items in their order, each with the function's answer, or with `lost` where that raised or ended two processes.

    Items are read only as far ahead as processes are free, so both ends may be endless. Function, items and answers are
    pickled; closing the iterator ends the processes.

    Args:
        function: is found by its name in the other process.
        items: of any number.
        lost: stands for the answer that there is none of.
        returns: the class of answers that are none of Python's own. No other is unpickled: who took over a decoder would be here.
        processes: as many as `cores`, if not given.
        seconds: of CPU, for one item.

    Raises:
        Failed: no process can be started, or none has answered for ten minutes.
    """
    crew = _Crew(partial(_start, function, seconds), returns, processes or cores())
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


def each_of_many(
    function: Callable[[T], R], items: Iterable[T], lost: R, *, returns: type | None = None
) -> Iterator[tuple[T, R]]:
    """As `each`, for items that take less than their way to another process and back: many go there at once.

    Where one of them ends the process or raises an error, all of them are given out again, one by one.
    """
    source = iter(items)
    many = iter(lambda: list(islice(source, _TOGETHER)), [])
    for together, answers in each(partial(_all, function), many, None, returns=returns):
        if answers is None:
            yield from each(function, together, lost, returns=returns)
        else:
            yield from zip(together, answers, strict=True)


def _all(function: Callable[[T], R], items: list[T]) -> list[R] | None:
    return [function(item) for item in items]


def cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """How many processes are of use: the cores that we may use, less where our container has a quota or too little memory."""
    bounds = [len(os.sched_getaffinity(0))]
    with suppress(OSError, ValueError):  # no cgroup v2, or the quota is `max`
        quota, period = (cgroup / "cpu.max").read_text().split()
        bounds.append(int(quota) // int(period))
    with suppress(OSError, ValueError):
        limit, used = (int((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
        bounds.append((limit - used) // MEMORY)
    return max(1, min(bounds))


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
    """Workers, each of which has one item at most: what it had when it died is what it died of, if another dies of it, too."""

    def __init__(self, start: Callable[[], _Worker], returns: type | None, limit: int) -> None:
        self.limit = limit
        self._start, self._returns = start, returns
        self._idle: list[_Worker] = []
        self._busy: dict[object, tuple[_Worker, int, object]] = {}  # by connection, with the item and its number
        self._suspects: set[int] = set()

    @property
    def is_free(self) -> bool:
        return len(self._busy) < self.limit

    def give(self, number: int, item: object) -> None:
        """Have an item worked on."""
        while True:
            worker = self._idle.pop() if self._idle else self._start()
            try:
                worker.connection.send(item)
            except OSError:  # killed while it was idle, say for the sake of another's memory
                worker.end()
            else:
                self._busy[worker.connection] = (worker, number, item)
                return

    def answers(self) -> Iterator[tuple[int, Any, str | None]]:
        """What is there: an item's number with the function's answer, or with what went wrong."""
        ready = wait([worker.connection for worker, _, _ in self._busy.values()], _SILENCE)
        if not ready:
            raise Failed(
                f"{len(self._busy)} files are being read for {_SILENCE // 60} minutes without an end; is their disk there?"
            )
        for connection in ready:
            worker, number, item = self._busy.pop(connection)
            try:
                answer, error = _Answer(worker.connection.recv_bytes(), self._returns).load()
                self._idle.append(worker)
            except (EOFError, OSError):
                worker.end()
                if number not in self._suspects:  # it may have been killed for another's sake, or by somebody
                    self._suspects.add(number)
                    self.give(number, item)
                    continue
                answer, error = None, "two processes died of it"
            except (pickle.UnpicklingError, ValueError, TypeError):
                worker.end()
                answer, error = None, "its answer is none"
            if error:
                _log.warning("an item was lost: %s", error)
            yield number, answer, error

    def end(self) -> None:
        """Nobody waits for an answer any more."""
        for worker in [*self._idle, *(worker for worker, _, _ in self._busy.values())]:
            worker.end()


class _Answer(pickle.Unpickler):
    """An answer, and nothing that would be called to make it."""

    def __init__(self, content: bytes, returns: type | None) -> None:
        super().__init__(io.BytesIO(content))
        self._returns = returns

    def find_class(self, module: str, name: str) -> type:
        if self._returns and (module, name) == (self._returns.__module__, self._returns.__qualname__):
            return self._returns
        raise pickle.UnpicklingError(f"{module}.{name}")


class _Server:
    """The process that workers are forked from, started when it is needed, and again when it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self) -> Connection:
        """A connection to a new worker; to nobody if the server has just ended.

        Raises:
            OSError: no process can be started.
        """
        with self._lock:
            if self._control is None:
                self._control, self._process = _serving()
            ours, theirs = socket.socketpair()
            with theirs, suppress(OSError):  # closed by us, it is closed for `ours`
                socket.send_fds(self._control, [b"w"], [theirs.fileno()])
            return Connection(ours.detach())

    def forget_if_ended(self) -> None:
        """It ends by itself when it has been idle; as long as it lives, others may be at work."""
        with self._lock, suppress(subprocess.TimeoutExpired):
            if self._control and self._process and self._process.wait(timeout=1) is not None:
                self._control.close()
                self._control = None


_server = _Server()


def _serving() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    ours, theirs = socket.socketpair()
    # No module of the folder that the caller is in, which may be a stranger's; output is the caller's own. In a session of its
    # own, Ctrl-C does not reach it: it ends when the caller does.
    command = [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno())]
    here = {"", str(Path.cwd())}
    modules = os.pathsep.join(place for place in sys.path if place not in here)
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
    return ours, process


def _start(function: Callable[[Any], Any], seconds: float) -> _Worker:
    why = ""
    for _ in range(2):  # the server may just have ended, having been idle
        connection = _server.fork()
        try:
            connection.send((function, seconds))
            if connection.poll(_START):
                return _Worker(connection, os.pidfd_open(connection.recv()))
            why = f"none answered within {_START} seconds"
        except (EOFError, ConnectionError):
            why = "they end as soon as they begin"
            _server.forget_if_ended()
        except OSError as error:
            why = str(error.strerror)
        connection.close()
    raise Failed(f"no process can be started to read the export in: {why}")
