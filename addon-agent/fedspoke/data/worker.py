"""The process in which an item is worked on, and the one that such processes are forked from (`python -m fedspoke.data.worker`).

The caller may hold a model and threads, which no fork of it would survive. The server holds one thread and what every worker
would have to load, so that one which an item has killed is replaced within milliseconds.
"""

import gc
import os
import resource
import signal
import socket
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

MEMORY = 1 << 30
"""Bytes for one item, over what the process holds before: a container that runs out of memory is killed as a whole."""

_IDLE = 60  # seconds, after which the server gives its memory back


def serve(control: socket.socket) -> None:
    """Fork a worker for each connection that comes, until the caller has gone, or has wanted none for a while."""
    signal.signal(signal.SIGCHLD, _reap)
    control.settimeout(_IDLE)
    while True:
        try:
            _, handles, _, _ = socket.recv_fds(control, 1, 1)
        except TimeoutError:
            if _has_workers():
                continue
            return
        if not handles:
            os.killpg(0, signal.SIGKILL)  # ourselves and the workers: nobody waits for their answers
        if os.fork() == 0:
            control.close()
            _work(Connection(handles[0]))
        os.close(handles[0])


def _reap(*_: object) -> None:
    """Nobody asks how a worker ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _has_workers() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _work(connection: Connection) -> NoReturn:
    try:
        function, seconds = connection.recv()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it reads and answers; a file is for the caller to write
        memory = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        connection.send(os.getpid())
        while True:
            item = connection.recv()
            # The kernel keeps this time, since C code does not return to have it kept; its signal ends the process.
            signal.setitimer(signal.ITIMER_PROF, seconds)
            try:
                answer, lost = function(item), None
            except Exception as error:  # noqa: BLE001  whatever it is, the other items are to be done
                place = traceback.extract_tb(error.__traceback__)[-1]
                answer, lost = None, f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            connection.send((answer, lost))
    except (EOFError, OSError):  # the caller wants no more
        os._exit(0)
    except BaseException:  # noqa: BLE001  this is a copy of the server, and must not go on as one
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    from fedspoke.data import decode  # noqa: F401  all that is decoded with is loaded
    from fedspoke.data.cleaning.language import language

    language("")
    gc.freeze()  # or the first collection in each worker would copy all pages that it shares with the server
    serve(socket.socket(fileno=int(sys.argv[1])))
