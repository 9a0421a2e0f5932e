"""One controller at work at a time: whoever holds the Lease."""

import json
import logging
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import urllib3.exceptions
from kubernetes.client import ApiClient, Configuration, CoordinationV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from fedspoke.kube.client import MANAGER, silence

log = logging.getLogger("fedspoke")

_LASTS, _RENEWED_WITHIN, _TRIED_EVERY = 15, 10, 2  # seconds, as Kubernetes' own controllers have them
_ANSWERED_WITHIN = 4  # of these: an answer that never comes must not hide that the Lease has run out
_TOLD_EVERY = 30  # tries


class _Asked:
    """The Lease API as the election calls it, with one kind of error: by any other the election ends, and nobody hears of it."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self.trouble = ""
        """Why the last call did nothing; empty if it did."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                answer = getattr(self._api, name)(*arguments, _request_timeout=_ANSWERED_WITHIN, **named)
            except ApiException as error:
                self.trouble = _message(error)
                raise
            except (urllib3.exceptions.HTTPError, OSError) as error:
                self.trouble = silence(self._api.api_client.configuration.host, error)
                raise ApiException(status=0, reason=self.trouble) from None
            self.trouble = ""
            return answer

        return call


def lead(namespace: str, me: str, lost: Callable[[], None]) -> None:
    """Waits for the Lease, and says so; returns once it is had.

    Args:
        namespace: where it is.
        me: who is to hold it.
        lost: called once it is not kept any more: another may be at work from now on. It is not given back otherwise; whoever
            follows waits until it has run out.
    """
    mine = threading.Event()
    lock = LeaseLock(MANAGER, namespace, me)
    once = Configuration.get_default_copy()
    once.retries = False  # which would take longer than the Lease lasts
    asked = _Asked(CoordinationV1Api(ApiClient(once)))
    lock.api_instance = asked  # type: ignore[assignment]  # the lock calls nothing else of it
    election = LeaderElection(Config(lock, _LASTS, _RENEWED_WITHIN, _TRIED_EVERY, mine.set, _nothing))

    def elect() -> None:
        try:
            election.run()
        finally:  # whatever ended it, nobody renews the Lease any more
            lost()

    threading.Thread(target=elect, name="lease", daemon=True).start()
    told = ""
    for tries in count():
        if mine.wait(_TRIED_EVERY):
            return
        holder = election.observed_record.holder_identity if election.observed_record else "nobody that the API server tells of"
        why = asked.trouble or f"{holder} holds it"
        if why != told or not tries % _TOLD_EVERY:
            log.warning("waiting for the Lease %s/%s: %s; tried again every %d s", namespace, MANAGER, why, _TRIED_EVERY)
            told = why


def _nothing() -> None:
    """What the election does when it ends; `elect` does more."""


def _message(error: ApiException) -> str:
    """The API server's own words."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, TypeError, KeyError):  # of something in front of it
        return f"the Kubernetes API answers {error.status} {error.reason}"
