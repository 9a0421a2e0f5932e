"""`fedspoke operator`: the hub's controller, one at work at a time."""

import logging
import os
import socket
from datetime import UTC, datetime

import click
import kopf

from fedspoke.api.errors import Failed
from fedspoke.hub.addon.authority import trust
from fedspoke.hub.controller.converge import Controller
from fedspoke.hub.controller.handlers import Federations, registry
from fedspoke.hub.controller.lease import leading
from fedspoke.kube.client import Kubernetes


@click.command
@click.option("--namespace", default="fedspoke", show_default=True, help="Where its own Secret and Lease are.")
@click.option("--health-port", type=int, default=8080, show_default=True, help="Answers /healthz while it is well.")
def operator(namespace: str, health_port: int) -> None:
    """Run the hub's controller: it watches every FederatedLearning, and makes of it what it asks for."""
    kopf.configure(log_format=kopf.LogFormat.JSON)
    for talkative in ("leaderelection", "kopf.objects"):  # of every renewal, of every event
        logging.getLogger(talkative).setLevel(logging.WARNING)
    kube = Kubernetes.of_environment()
    rests_on = trust(kube, namespace, datetime.now(UTC))
    me = os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}"
    with leading(namespace, me) as lost:
        federations = Federations(Controller(kube, rests_on))
        kopf.run(
            registry=registry(federations),
            clusterwide=True,
            standalone=True,
            liveness_endpoint=f"http://0.0.0.0:{health_port}/healthz",
            stop_flag=lost,
        )
    raise Failed(
        "it is no longer the one controller at work: another one has taken the Lease, or the API server was away too long"
    )
