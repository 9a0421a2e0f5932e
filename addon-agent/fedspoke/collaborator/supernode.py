"""Flower's SuperNode, and another one whenever it ends: a SuperLink that was started anew wants a new one, and any may be killed.

The hub knows a node by its number: to one that follows it sends its orders again.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from fedspoke.api.backoff import Backoff, times
from fedspoke.api.errors import Failed
from fedspoke.api.records import CollaboratorSettings
from fedspoke.flower import programs

log = logging.getLogger("fedspoke")

_POLL = 0.1
_AGAIN = Backoff(most=5, well=30)


def serve(settings: CollaboratorSettings, tend: Callable[[], None]) -> None:
    """Keep a SuperNode at work. `tend` is called all the while.

    Raises:
        Failed: it ends again and again, and was given no order.
    """
    own = Path(settings.output) / "collaborator.json"
    own.write_text(settings.model_dump_json(by_alias=True))
    failures = 0
    while True:
        began = time.monotonic()
        status, wanted = _supernode(settings, own, tend)
        failures = _AGAIN.failures(0 if wanted else failures, time.monotonic() - began)
        pause = _AGAIN.pause(failures)
        if pause is None:
            raise Failed(
                f"{_ending(settings.cluster, status)}, the {times(failures)} in a row; is the clock here off by minutes?"
            )
        log.warning("%s; another one starts in %.0f s", _ending(settings.cluster, status), pause)
        time.sleep(pause)


def _supernode(settings: CollaboratorSettings, own: Path, tend: Callable[[], None]) -> tuple[int, bool]:
    """One SuperNode from its start to its end, and a process for each order that it receives.

    Returns:
        Its exit status, and whether it was given an order.
    """
    address = f"127.0.0.1:{settings.supernode_port}"
    hub = ["--insecure", "--superlink", settings.gateway]  # in the clear to the sidecar on loopback, mutual TLS from there
    here = ["--host", "127.0.0.1", "--port", str(settings.supernode_port), "--isolation", "process"]
    arguments = [*hub, *here, "--node-config", f"settings={json.dumps(str(own))}"]
    with programs.daemon("fedspoke-flower-supernode", arguments, Path(settings.output) / "flower") as supernode:
        # Imported while the SuperNode does the same on another core, and after the environment that Flower reads at import.
        from flwr.supercore.constant import TaskType

        from fedspoke.collaborator.client_app import app
        from fedspoke.flower.apps import Apps, client_app

        with Apps(address, TaskType.CLIENT_APP, client_app(app)) as apps:
            while supernode.poll() is None:
                if any(status < 0 for status in apps.step()):
                    # The SuperNode would wait for the answer for a minute and take no other order. The next one is asked anew.
                    log.warning("the process of an order was killed; its SuperNode ends with it")
                    programs.end(supernode)
                tend()
                time.sleep(_POLL)
            return int(supernode.returncode), apps.started > 0


def _ending(cluster: str, status: int) -> str:
    if status < 0:
        return f"{cluster}'s SuperNode was killed by signal {-status}"
    if status > 0:
        return f"{cluster}'s SuperNode ended with status {status}; its log says why"
    return f"the SuperLink sent {cluster}'s SuperNode away"
