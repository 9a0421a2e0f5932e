"""`fedspoke operator`: the hub's controller, one at work at a time."""

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click
import kopf

from fedspoke.api.errors import Failed, Refused
from fedspoke.hub.addon import manager
from fedspoke.hub.addon.authority import trust
from fedspoke.hub.controller.converge import Controller
from fedspoke.hub.controller.handlers import Step, registry
from fedspoke.hub.controller.health import Health, served
from fedspoke.hub.controller.lease import lead
from fedspoke.hub.reconcile import Images
from fedspoke.kube.client import OPENSHIFT, Kubernetes

log = logging.getLogger("fedspoke")

_ADDON = timedelta(minutes=1)
"""Between two looks at the add-on of which nothing is heard."""
_AGAIN = 10  # seconds
_LOST = "another controller has taken the Lease, or the API server was away for too long"

Command = Callable[..., None]


def _image(component: str, told: str) -> Callable[[Command], Command]:
    """The name of an image: most often from a variable of the Deployment, which OpenShift's tools know for one by its name."""
    variable, default = f"RELATED_IMAGE_{component.upper()}", getattr(Images(), component)
    return click.option(f"--{component}-image", envvar=variable, show_envvar=True, default=default, show_default=True, help=told)


@click.command
@click.option("--namespace", default="fedspoke", show_default=True, help="Where its own Secret and Lease are.")
@_image("agent", "What spokes run for the add-on.")
@_image("aggregator", "What the hub runs for a federation that names no image.")
@_image("collaborator", "What spokes run for a federation that names no image.")
@click.option("--health-port", type=int, default=8080, show_default=True, help="Answers /healthz and /readyz.")
def operator(namespace: str, agent_image: str, aggregator_image: str, collaborator_image: str, health_port: int) -> None:
    """Run the hub's controller: it watches every FederatedLearning, and makes of it what it asks for."""
    kopf.configure(log_format=kopf.LogFormat.JSON)
    for talkative in ("leaderelection", "kopf.objects"):  # of every renewal, of every event
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # A container's first process ignores it otherwise, until kopf has its own way to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    kube, health = Kubernetes.of_environment(), Health()
    images = Images(agent=agent_image, aggregator=aggregator_image, collaborator=collaborator_image)
    with served(health, health_port):
        lead(namespace, os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}", _end)
        controller = _begun(kube, namespace, images)

        def federation(of: str, name: str) -> Step:
            return lambda now: controller.converge(of, name, now)

        def addon(now: datetime) -> timedelta:
            controller.trust = trust(kube, namespace, now)
            for sentence in manager.converge(kube, controller.trust, images.agent, now):
                log.info(sentence)
            return _ADDON

        kopf.run(registry=registry(federation, addon, health), clusterwide=True, standalone=True)


def _end() -> None:
    """At once, in the middle of whatever it does: nobody may wait for an answer to what another controller decides by now."""
    click.echo(f"fedspoke: {_LOST}", err=True)
    os._exit(1)


def _begun(kube: Kubernetes, namespace: str, images: Images) -> Controller:
    """However long the hub refuses it: a right that is missing is given while this waits, and no pod has to end for that."""
    while True:
        try:
            first = trust(kube, namespace, datetime.now(UTC))
            return Controller(kube, first, images, openshift=kube.knows(OPENSHIFT))
        except (Failed, Refused) as error:
            log.warning("%s; tried again in %d s", error, _AGAIN)
        time.sleep(_AGAIN)
