"""flower-client's main program: a SuperNode, the steps that make the trainer ready, and a process for each order of the hub.

The steps run beside the SuperNode and write where they are to workflow.json; the order to prepare is answered from there. A
trainer that was started anew (out of memory, say) goes through them again; meanwhile workflow.json says where it is.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import NoReturn

from fedspoke.api import files
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings, Prepared, Record
from fedspoke.collaborator.answers import DataCleaned, DataFetched, ModelReady
from fedspoke.collaborator.trainer import Trainer
from fedspoke.flower import programs

_POLL = 0.1
_TRAINER_UP = 300.0
"""Seconds that mcp-server may take to answer."""

_REFUSALS, _BRIEF = 5, 30.0
"""A SuperNode that ends so often, each time within so many seconds, is not wanted."""


class Workflow(Record):
    """workflow.json: the steps that are done, the one at work, and how they ended."""

    done: tuple[str, ...] = ()
    step: str = "start"
    error: str | None = None
    prepared: Prepared | None = None


def run(settings: CollaboratorSettings) -> None:
    """Serve one federation until SIGTERM or SIGINT.

    Raises:
        Failed: the SuperNode cannot run; the sentence says why.
    """
    os.umask(0o077)  # what is written here is this user's alone, on a laptop too
    output = Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)
    save(settings, Workflow())
    signal.signal(signal.SIGTERM, _terminate)
    programs.free(settings.supernode_port, "the SuperNode")
    home = output / "flower"
    os.environ.update(programs.environment(home))
    own = output / "collaborator.json"
    own.write_text(settings.model_dump_json(by_alias=True))
    steps = multiprocessing.get_context("fork").Process(target=keep_prepared, args=(settings,))
    steps.start()
    refused = 0
    try:
        while refused < _REFUSALS:
            began = time.monotonic()
            status = _supernode(settings, own, home, steps)
            if status != 0:
                raise Failed(f"the SuperNode of {settings.cluster} ended with status {status}; its log says why")
            # A SuperLink that was started anew does not know this node, whereupon Flower's node ends itself: another one starts.
            refused = refused + 1 if time.monotonic() - began < _BRIEF else 0
    finally:
        steps.kill()
        steps.join()
    raise Failed(f"the SuperLink sent {settings.cluster}'s SuperNode away {refused} times; is its clock off by minutes?")


def _supernode(settings: CollaboratorSettings, own: Path, home: Path, steps: BaseProcess) -> int:
    """One SuperNode from its start to its end, and a process for each order that it receives; returns its exit status."""
    address = f"127.0.0.1:{settings.supernode_port}"
    hub = ["--insecure", "--superlink", settings.gateway]  # in the clear to the sidecar on loopback, mutual TLS from there
    here = ["--host", "127.0.0.1", "--port", str(settings.supernode_port), "--isolation", "process"]
    with programs.daemon(
        "fedspoke-flower-supernode", [*hub, *here, "--node-config", f"settings={json.dumps(str(own))}"], home
    ) as supernode:
        # Imported while the SuperNode does the same on another core, and after the environment that Flower reads at import.
        from flwr.supercore.constant import TaskType

        from fedspoke.flower.apps import Apps, client_app

        with Apps(address, TaskType.CLIENT_APP, client_app()) as apps:
            while supernode.poll() is None:
                apps.step()
                if steps.exitcode and load(settings).error is None:
                    died = f"the process of the steps ended with status {steps.exitcode}"
                    save(settings, load(settings).model_copy(update={"error": died}))
                time.sleep(_POLL)
        return int(supernode.returncode)


def keep_prepared(settings: CollaboratorSettings) -> None:
    """Prepare the trainer, and each one that is started in its place: a new one has neither model nor records.

    It is known by its token; one that is gone and stays gone is for the next order to report, which then need not wait for it.
    Returns once the process that began this is gone.
    """
    trainer, parent = Trainer(settings), os.getppid()
    while os.getppid() == parent:
        token = prepare(settings)
        while trainer.token() == token and os.getppid() == parent:
            time.sleep(_POLL)


def prepare(settings: CollaboratorSettings) -> str | None:
    """The steps before the first round. However they end, workflow.json says it.

    Returns:
        The token of the trainer that went through them.
    """
    trainer = Trainer(settings)
    token = trainer.token()
    state = Workflow()

    def begin(step: str) -> None:
        nonlocal state
        done = state.done if state.step == "start" else (*state.done, state.step)
        state = state.model_copy(update={"done": done, "step": step})
        save(settings, state)

    try:
        begin("wait for the trainer")
        trainer.await_up(_TRAINER_UP)
        token = trainer.token()
        begin("download_model")
        model = trainer.call("download_model", {}, ModelReady)
        for platform in settings.datasets:
            begin(f"fetch_data {platform}")
            trainer.call("fetch_data", {"platform": platform}, DataFetched)
        begin("clean_data")
        posts: dict[Platform, int] = trainer.call("clean_data", {}, DataCleaned).records
    except (Failed, Refused) as error:
        save(settings, state.model_copy(update={"error": str(error)}))
    else:
        begin("ready")
        prepared = Prepared(cluster=settings.cluster, posts=posts, layout=model.layout)
        save(settings, state.model_copy(update={"prepared": prepared}))
    return token


def load(settings: CollaboratorSettings) -> Workflow:
    """What workflow.json says."""
    return Workflow.model_validate_json(_file(settings).read_bytes())


def save(settings: CollaboratorSettings, state: Workflow) -> None:
    """Replace workflow.json at once."""
    files.replace(_file(settings), state.model_dump_json(by_alias=True, indent=2).encode())


def _file(settings: CollaboratorSettings) -> Path:
    return Path(settings.output) / "workflow.json"


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
