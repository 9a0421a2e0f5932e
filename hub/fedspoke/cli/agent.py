"""`fedspoke agent`: what the add-on runs on every spoke."""

import logging
import signal
import socket
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread

import click

from fedspoke.agent.aggregators import calling
from fedspoke.agent.identity import service_account
from fedspoke.agent.lease import lease
from fedspoke.agent.publish import Scores
from fedspoke.agent.run import run
from fedspoke.agent.spoke import Spoke
from fedspoke.agent.watchdog import Watchdog
from fedspoke.agent.withdrawals import Withdrawals
from fedspoke.kube.client import Kubernetes

_PATH = click.Path(path_type=Path)


@click.command
@click.option("--namespace", required=True, help="The one that the add-on is installed in, and its collaborators.")
@click.option("--cluster", required=True, help="This cluster's name on the hub.")
@click.option("--image", required=True, help="This agent's own, of which exports are inspected.")
@click.option("--hub-kubeconfig", required=True, type=_PATH, help="File by which the hub's API is reached.")
@click.option("--certificate", required=True, type=_PATH, help="Folder of the cluster's own, by which aggregators are asked.")
@click.option("--authority", required=True, type=_PATH, help="Folder of the one that the hub's gateways are known by.")
def agent(namespace: str, cluster: str, image: str, hub_kubeconfig: Path, certificate: Path, authority: Path) -> None:
    """Run a spoke's agent: it declares what the cluster offers, and says why a collaborator does not run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopped = Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    call = calling(certificate, authority)
    scores = Scores(cluster, hub_kubeconfig)
    spoke = Spoke(Kubernetes.of_environment(), namespace, image, scores, Watchdog(call), Withdrawals(call))
    for tasks in (spoke.of_the_hub(), spoke.of_the_owner()):
        Thread(target=run, args=(tasks, stopped, _now), daemon=True).start()  # it may be waiting at the end
    sign = partial(lease, namespace, socket.gethostname(), service_account())
    run(spoke.tasks(sign), stopped, _now)


@click.command
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--keep-ledgers", is_flag=True, help="Not the ledgers of what privacy was spent.")
def wipe(folder: Path, keep_ledgers: bool) -> None:
    """Remove what a federation has left in FOLDER, which the agent starts in a pod."""
    from fedspoke.agent.wipe import wipe

    wipe(folder, keep_ledgers=keep_ledgers)


def _now() -> datetime:
    return datetime.now(UTC)
