"""A collaborator with a crew where there is no network but loopback, and what it tried to send all the same, by the kernel.

`unshare --net --map-root-user python -m support.no_routes FOLDER` prints the steps that were done and both counts, as JSON.
"""

import fcntl
import json
import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator import orders, workflow
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.orders import FinishTask, TrainTask
from fedspoke.collaborator.workflow import Finishing
from support import adapters
from support.envoy import wait_for
from support.flower import collaborating, fake_trainer, with_fake_trainer
from support.language_model import saying, serving
from support.trainer import done

ROUNDS = 5
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def sent() -> int:
    """Attempts to reach somebody that the kernel knew no way to, name servers among them."""
    lines = [line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()]
    counters = {
        words[0] + name: int(value)
        for words, values in zip(lines[::2], lines[1::2], strict=True)
        for name, value in zip(words[1:], values[1:], strict=True)
    }
    return counters["Ip:OutNoRoutes"] + counters["Udp:NoPorts"]  # a name server may have an address of loopback


def attempts() -> int:
    """How many the kernel counts of two that are made here."""
    before = sent()
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), timeout=5)
    with suppress(OSError):
        socket.getaddrinfo("fedspoke.example", 443)
    return sent() - before


def main(folder: Path) -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    known = attempts()
    before = sent()
    with serving(saying({"post 1": "health"})) as model:
        steps = _collaborator(folder, with_fake_trainer(folder, 1).model_copy(update={"curation": model.curation()}))
    print(json.dumps({"steps": steps, "asked": len(model.requests), "known": known, "sent": sent() - before}))


def _collaborator(folder: Path, settings: CollaboratorSettings) -> list[str]:
    """From its start to its profile."""
    start = str(adapters.save(adapters.filled(adapters.layout(), 1), folder / "start"))
    until = time.monotonic() + 120
    with fake_trainer(settings, folder / "trainer.log"), collaborating(settings, folder / "client"):
        wait_for(lambda: workflow.file(settings).exists() and workflow.load(settings).prepared, "it is ready", 120)
        for number in range(1, ROUNDS + 1):
            task = TrainTask(round=number, adapter=start, output=f"{start}-{number}")
            orders.ask(settings, task, LlavaTrained, until, lambda: None)
        orders.ask(settings, FinishTask(adapter=start), Finishing, until, lambda: None)
    return done(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
