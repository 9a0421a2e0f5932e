"""The DNS of a cluster, for tests that call a Service by its name: as much of it as that takes.

It listens where the kubelet tells pods that a DNS is, and looks each name up in the API server.
"""

import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.fleet.cluster import Cluster
from support.fleet.kubernetes import SERVICE, Kubernetes, Rejected
from support.fleet.processes import Process
from support.fleet.wait import says

_TESTS = Path(__file__).parents[2]
_PORT, _SECONDS = 53, 30
_LISTENS = "listens"
_HEADER, _QUESTION = struct.Struct("!6H"), struct.Struct("!2H")
_ANSWERS, _NO_SUCH_NAME = 0x8180, 3  # flags of an answer to a question that wants recursion; a code
_A, _IN, _TTL = 1, 1, 5
_ALREADY = 0xC000 | _HEADER.size
"""A name that is the one of the question."""


@contextmanager
def of(cluster: Cluster) -> Iterator[Process]:
    """Its pods find Services by their names as long as the block lasts."""
    command = [sys.executable, "-m", "support.fleet.dns", str(cluster.kubeconfig), cluster.address]
    process = cluster.machine.start("dns", "env", f"PYTHONPATH={_TESTS}", *command)
    try:
        says(process, _LISTENS, _SECONDS)
        yield process
    finally:
        cluster.machine.kill("dns")


def answer(question: bytes, address: Callable[[str, str], str | None]) -> bytes:
    """What is said to a question; `address` is that of a Service, by its name and namespace, or None if there is none."""
    number, at, labels = _HEADER.unpack_from(question)[0], _HEADER.size, []
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    end = at + 1 + _QUESTION.size
    asked = question[_HEADER.size : end]
    found = address(*labels[:2]) if labels[2:] == ["svc", "cluster", "local"] else None
    if found is None:
        return _HEADER.pack(number, _ANSWERS | _NO_SUCH_NAME, 1, 0, 0, 0) + asked
    if _QUESTION.unpack(asked[-_QUESTION.size :]) != (_A, _IN):  # it has the name, and no address of that kind
        return _HEADER.pack(number, _ANSWERS, 1, 0, 0, 0) + asked
    record = struct.pack("!3HIH4s", _ALREADY, _A, _IN, _TTL, 4, socket.inet_aton(found))
    return _HEADER.pack(number, _ANSWERS, 1, 1, 0, 0) + asked + record


def _serve(kubernetes: Kubernetes, listens: str) -> None:
    def address(service: str, namespace: str) -> str | None:
        try:
            return str(kubernetes.get(SERVICE, service, namespace)["spec"]["clusterIP"])
        except Rejected:
            return None

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind((listens, _PORT))
        print(_LISTENS, flush=True)
        while True:
            question, whose = here.recvfrom(1 << 12)
            here.sendto(answer(question, address), whose)


if __name__ == "__main__":
    _serve(Kubernetes(Path(sys.argv[1])), sys.argv[2])
