"""CrewAI, told to be quiet before it is imported, as it reads its environment then: the one place that imports it.

Without this it would send what it calls anonymous telemetry, ask for newer versions and offer to send traces; it would load the
nearest `.env`, too.
"""

import os

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

from crewai.events.event_listener import event_listener  # noqa: E402  after its environment
from crewai.flow.flow import Flow, listen, router, start  # noqa: E402
from crewai.flow.persistence import FlowPersistence, persist  # noqa: E402

event_listener.formatter.console.quiet = True  # it would tell each restored state in colours

__all__ = ["Flow", "FlowPersistence", "listen", "persist", "router", "start"]
