"""flower-client's main program, `fedspoke collaborator`: the flow, which does the work, and Flower's SuperNode, which brings it.

Each is a process of its own, and so is each order that the SuperNode receives. Whatever of them is killed is started anew; this
one does no more than that, so that there is little for which it could end.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator import orders, workflow
from fedspoke.collaborator.supernode import serve
from fedspoke.flower import programs

HOMES = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
"""Where CrewAI keeps a key and its settings, though none of them is used; a container has no place but the output."""
FLOW = "fedspoke-flow"
"""What the flow's process is called, among the others of this program."""


def run(settings: CollaboratorSettings) -> None:
    """Serve one federation until SIGTERM or SIGINT.

    Raises:
        Failed: the SuperNode cannot run; the sentence says why.
    """
    os.umask(0o077)  # what is written here is this user's alone, on a laptop too
    output = Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)
    workflow.save(settings, workflow.begun(settings))
    orders.forget(settings)
    signal.signal(signal.SIGTERM, _terminate)
    programs.free(settings.supernode_port, "the SuperNode")
    os.environ.update(programs.environment(output / "flower"))
    with Flow(settings) as flow:
        serve(settings, flow.keep)


class Flow:
    """The flow's process: there is one as long as the block lasts."""

    def __init__(self, settings: CollaboratorSettings) -> None:
        self._task = (settings, os.getpid())
        self._process: BaseProcess | None = None

    def __enter__(self) -> Self:
        self.keep()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process:
            self._process.kill()
            self._process.join()

    def keep(self) -> None:
        """Start one where the last one has ended: nothing but a signal ends it."""
        if self._process is None or self._process.exitcode is not None:
            self._process = multiprocessing.get_context("fork").Process(target=_flow, args=self._task)
            self._process.start()


def _flow(settings: CollaboratorSettings, parent: int) -> None:
    programs.end_with(parent)
    programs.called(FLOW)
    os.environ.update(dict.fromkeys(HOMES, str(Path(settings.output) / "crewai")))
    # Here, and not before the fork: it takes seconds and 200 MB, and no other of these processes needs it.
    from fedspoke.collaborator import turns

    turns.keep(settings)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
