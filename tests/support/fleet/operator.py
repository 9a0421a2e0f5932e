"""`fedspoke operator` as a process of this machine, and how it answers a kubelet's probes."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from fedspoke.api.base import Object
from fedspoke.local import ports
from support.fleet.deployed import HOME
from support.fleet.processes import Process, running
from support.fleet.wait import until


@dataclass(frozen=True, slots=True)
class Operator:
    """A controller at work, or one that waits."""

    process: Process
    port: int

    def says(self, words: str, seconds: float) -> None:
        """Wait until it has said a sentence that begins with these words.

        Raises:
            Failed: it ended without it, or the time ran out.
        """
        until(f"the controller says {words!r}", lambda: any(it.startswith(words) for it in self.said()), seconds, [self.process])

    def said(self) -> list[str]:
        """Its sentences so far."""
        return [each["message"] for each in self.lines()]

    def lines(self) -> list[Object]:
        """What its log has so far, a line of JSON each."""
        return [json.loads(line) for line in self.process.words().splitlines() if line.startswith("{")]

    def answers(self, path: str) -> int | None:
        """The status of `/healthz` or `/readyz`; None if nothing answers yet."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}").status_code
        except httpx.TransportError:
            return None

    def ready(self) -> bool | None:
        """Whether it is the one at work; None if not yet."""
        return self.answers("/readyz") == httpx.codes.OK or None


@contextmanager
def operator(kubeconfig: Path, folder: Path, agent: str | None = None) -> Iterator[Operator]:
    """One that runs until the block ends, known to the hub as its kubeconfig says; its words are in `folder`.

    `agent` is the image that spokes run for the add-on, if not the one of a release.
    """
    (port,) = ports.free(1)
    arguments = ["-m", "fedspoke.cli", "operator", "--namespace", HOME, "--health-port", str(port)]
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)} | ({"RELATED_IMAGE_AGENT": agent} if agent else {})
    with running(sys.executable, *arguments, log=folder / f"operator-{port}.log", environment=environment) as process:
        yield Operator(process, port)
