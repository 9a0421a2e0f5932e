"""CrewAI, told to be quiet before it is imported, as it reads its environment then: the one place that imports it.

Without this it would send what it calls anonymous telemetry, ask for newer versions and offer to send traces; it would load the
nearest `.env`, too.
"""

import logging
import os
from typing import Any

from pydantic import PrivateAttr

QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "ANONYMIZED_TELEMETRY": "False",  # chromadb's, which it imports
    "PYTHON_DOTENV_DISABLED": "1",
}


os.environ.update(QUIET)

from crewai import Agent, Task  # noqa: E402  after its environment
from crewai import Crew as _Crew  # noqa: E402
from crewai.events.event_listener import event_listener  # noqa: E402
from crewai.flow.flow import Flow, listen, router, start  # noqa: E402
from crewai.flow.persistence import FlowPersistence, persist  # noqa: E402
from crewai.llms.hooks.base import BaseInterceptor  # noqa: E402
from crewai.utilities.task_output_storage_handler import TaskOutputStorageHandler  # noqa: E402

event_listener.formatter.console.quiet = True  # it would tell each restored state in colours
logging.getLogger().addFilter(lambda record: record.name != "root")  # to which CrewAI says what a server said, quotes and all
logging.getLogger("crewai").setLevel(logging.CRITICAL)


class _Forgetful(TaskOutputStorageHandler):
    """Keeps nothing: CrewAI's own would write what was asked, a post among it, into a database."""

    def __init__(self) -> None:
        """There is no storage."""

    def update(self, task_index: int, log: dict[str, Any]) -> None:
        """Not kept."""

    def reset(self) -> None:
        """There is nothing."""

    def load(self) -> None:
        """Nothing."""


class Crew(_Crew):
    """One that remembers nothing."""

    _task_output_handler: TaskOutputStorageHandler = PrivateAttr(default_factory=_Forgetful)


def openai_compatible(**options: Any) -> Any:
    """CrewAI's client of such servers; imported when it is wanted, as few flows want it and it brings OpenAI's."""
    from crewai.llms.providers.openai_compatible.completion import OpenAICompatibleCompletion

    return OpenAICompatibleCompletion(**options)


__all__ = [
    "Agent",
    "BaseInterceptor",
    "Crew",
    "Flow",
    "FlowPersistence",
    "Task",
    "listen",
    "openai_compatible",
    "persist",
    "router",
    "start",
]
