"""One controller at work at a time: whoever holds the Lease."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from fedspoke.kube.client import MANAGER

log = logging.getLogger("fedspoke")

_LASTS, _RENEWED_WITHIN, _TRIED_EVERY = 15, 10, 2  # seconds, as Kubernetes' own controllers have them
_TOLD_EVERY = 60.0


@contextmanager
def leading(namespace: str, me: str) -> Iterator[threading.Event]:
    """Waits for the Lease, and says so; yields what is set once it is lost: then another may be at work.

    It is not given back at the end: whoever follows waits until it has run out.
    """
    mine, lost = threading.Event(), threading.Event()
    lock = LeaseLock(MANAGER, namespace, me)
    election = LeaderElection(Config(lock, _LASTS, _RENEWED_WITHIN, _TRIED_EVERY, mine.set, lost.set))
    threading.Thread(target=election.run, name="lease", daemon=True).start()
    while not mine.wait(_TOLD_EVERY if election.observed_record else _LASTS):
        holder = election.observed_record.holder_identity if election.observed_record else "nobody that the API server tells of"
        log.info("waiting for the Lease %s/%s, which %s holds; it is tried every %d s", namespace, MANAGER, holder, _TRIED_EVERY)
    yield lost
