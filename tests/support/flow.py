"""The collaborator's flow in a process of its own, forked from one that has imported CrewAI once for all tests."""

import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.flower_client import HOMES


@contextmanager
def flowing(settings: CollaboratorSettings, patience: float = 300) -> Iterator[BaseProcess]:
    """It goes on until it is killed, at the end of the block at the latest."""
    process = server().Process(target=_keep, args=(settings, patience))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _keep(settings: CollaboratorSettings, patience: float) -> None:
    from fedspoke.collaborator import turns

    turns.keep(settings, patience)


@cache
def server() -> ForkServerContext:
    """Forks processes that have CrewAI."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fedspoke.collaborator.turns"])
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(HOMES, str(Path(tempfile.gettempdir()) / "fedspoke-tests-crewai")))
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return context
