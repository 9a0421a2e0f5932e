"""One controller at work at a time: whoever holds the Lease."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from fedspoke.api.errors import Failed
from fedspoke.kube.client import MANAGER, silence

log = logging.getLogger("fedspoke")

_LASTS, _RENEWED_WITHIN, _TRIED_EVERY = 15, 10, 2  # seconds, as Kubernetes' own controllers have them
_ANSWERED_WITHIN = 5  # of these: an answer that never comes must not hide that the Lease has run out
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


@contextmanager
def leading(namespace: str, me: str) -> Iterator[threading.Event]:
    """Waits for the Lease, and says so; yields what is set once it is lost: then another may be at work.

    It is not given back at the end: whoever follows waits until it has run out.

    Raises:
        Failed: it cannot be waited for any longer.
    """
    mine, lost = threading.Event(), threading.Event()
    lock = LeaseLock(MANAGER, namespace, me)
    asked = _Asked(lock.api_instance)
    lock.api_instance = asked  # type: ignore[assignment]  # the lock calls nothing else of it
    election = LeaderElection(Config(lock, _LASTS, _RENEWED_WITHIN, _TRIED_EVERY, mine.set, lost.set))

    def elect() -> None:
        try:
            election.run()
        finally:  # whatever ended it, nobody renews the Lease any more
            lost.set()

    threading.Thread(target=elect, name="lease", daemon=True).start()
    told = ""
    for tries in count():
        if mine.wait(_TRIED_EVERY):
            break
        if lost.is_set():
            raise Failed(f"the election for the Lease {namespace}/{MANAGER} met an error of its own; the log has it")
        holder = election.observed_record.holder_identity if election.observed_record else "nobody that the API server tells of"
        why = asked.trouble or f"{holder} holds it"
        if why != told or not tries % _TOLD_EVERY:
            log.warning("waiting for the Lease %s/%s: %s; tried again every %d s", namespace, MANAGER, why, _TRIED_EVERY)
            told = why
    yield lost


def _message(error: ApiException) -> str:
    """The API server's own words."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, TypeError, KeyError):  # of something in front of it
        return f"the Kubernetes API answers {error.status} {error.reason}"
