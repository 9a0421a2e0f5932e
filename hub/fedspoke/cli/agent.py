"""`fedspoke agent`: what the add-on runs on every spoke."""

import logging
import signal
import socket
from datetime import UTC, datetime
from threading import Event

import click

from fedspoke.agent.run import run
from fedspoke.kube.client import Kubernetes


@click.command
@click.option("--namespace", required=True, help="The one that the add-on is installed in, and its collaborators.")
def agent(namespace: str) -> None:
    """Run a spoke's agent: it keeps the add-on's Lease, and says why a collaborator does not run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopped = Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    run(Kubernetes.of_environment(), namespace, socket.gethostname(), stopped, lambda: datetime.now(UTC))
