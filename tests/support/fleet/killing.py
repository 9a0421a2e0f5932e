"""A collaborator's flow that is killed after each of its steps, before it can begin the next.

It opens the trainer's token before each call. There it is let through as long as workflow.json names no step more than before,
and is killed where it does: what it had done is what is recorded, and the trainer has not heard of the step that follows.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from fedspoke.collaborator.flower_client import FLOW
from fedspoke.collaborator.workflow import Workflow
from support.fleet.cluster import Cluster
from support.fleet.wait import until
from support.turnstile import Turnstile

_DONE = re.compile(r" (\w+): done$", re.MULTILINE)
_SECONDS = 300


class Killing:
    """Of one flow, which goes on only while somebody looks."""

    def __init__(self, spoke: Cluster, file: Path, token: Turnstile, log: TextIO) -> None:
        self._spoke, self._file, self._token, self._log = spoke, file, token, log
        self.killed: dict[str, list[str]] = {}
        """After which steps, in their order, and what the trainer had done by then."""
        self.done: list[str] = []
        """Which tools the trainer has done, by its log."""

    def look(self) -> None:
        """The flow waits, goes on, or is killed."""
        self._log.seek(0)  # the file is open, so that it can be read when its pod is gone
        self.done = _DONE.findall(self._log.read())
        with suppress(FileNotFoundError):  # the pod is gone
            state = Workflow.model_validate_json(self._file.read_bytes())
            if new := [it for it in _steps(state) if it not in self.killed]:
                self._spoke.machine.call("pkill", "--signal", "KILL", "--exact", FLOW)
                self.killed |= dict.fromkeys(new, self.done)
            elif self._token.waited_at:
                self._token.let_through()


@contextmanager
def killing(spoke: Cluster, run: str) -> Iterator[Killing]:
    """Of a federation's flow, from when its trainer is there; what it begins meanwhile is to be held up by somebody else."""
    file = until(f"{run} begins on {spoke.name}", lambda: _file(spoke, run), _SECONDS)
    (log,) = (spoke.folder / "log/pods").glob(f"*_{file.parents[3].name}/mcp-server/0.log")
    with Turnstile(file.with_name("mcp-token")) as token, log.open(errors="replace") as words:
        yield Killing(spoke, file, token, words)


def _file(spoke: Cluster, run: str) -> Path | None:
    """The workflow.json of a pod whose trainer has written its token."""
    for it in (spoke.folder / "lib/kubelet/pods").glob("*/volumes/kubernetes.io~empty-dir/output/workflow.json"):
        with suppress(FileNotFoundError, ValidationError):
            if it.with_name("mcp-token").exists() and Workflow.model_validate_json(it.read_bytes()).id == run:
                return it
    return None


def _steps(state: Workflow) -> Iterator[str]:
    """Those that are done, in the flow's order; that of next_order is done once the step that it leads to begins."""
    yield from state.done
    if state.step.startswith("train_llava"):
        yield f"next_order, for {state.step}"
    for it in state.trained:
        yield f"train_llava round {it.round}"
    if state.step == "evaluate":
        yield "next_order, for evaluate"
    if state.finishing and state.finishing.evaluated:
        yield "evaluate"
    for platform in (*state.finishing.profiles, *state.finishing.refused) if state.finishing else ():
        yield f"generate_profile {platform}"
