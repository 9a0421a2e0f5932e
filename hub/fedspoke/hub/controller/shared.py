"""What is the hub's and no single federation's is read once for all of them, and again after some seconds.

A hub may have thousands of clusters: were they read at every look, the controller's memory and the API server's work would grow
with the federations times the clusters. Nobody changes what is read here. One list is read at a time; who wants another waits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from fedspoke.api.base import Object
from fedspoke.kube.client import Kind, Kubernetes


@dataclass(slots=True)
class Shared:
    """All objects of a kind, as they were not longer ago than `lasts` seconds."""

    kube: Kubernetes
    lasts: float = 10.0
    now: Callable[[], float] = time.monotonic
    _read: dict[Kind, tuple[float, tuple[Object, ...]]] = field(default_factory=dict)
    _reading: Lock = field(default_factory=Lock)

    def all(self, kind: Kind, *, since: float | None = None) -> tuple[Object, ...]:
        """Every one on the hub.

        Args:
            kind: of which kind.
            since: a moment of `now`, if what was read before it is too old.

        Raises:
            Failed: the API server does not answer, or does not let us, or knows no such kind.
        """
        with self._reading:
            oldest = self.now() - self.lasts if since is None else since
            if kind not in self._read or self._read[kind][0] <= oldest:
                begun = self.now()
                self._read.pop(kind, None)  # not two of them in memory
                self._read[kind] = begun, tuple(self.kube.each(kind))
            return self._read[kind][1]
