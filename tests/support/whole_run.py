"""One whole federation, run once a session: the demo's example on this machine, with all that its spokes said recorded."""

import functools
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from fedspoke.api.federated_learning import FederatedLearningStatus, Object
from fedspoke.api.names import server_name
from fedspoke.local import demo
from fedspoke.local.certificates import Certificates, authority
from fedspoke.local.processes import Machine, Process, machine
from fedspoke.local.run import run
from support.relay import Relay, relay


@dataclass
class Watched(Machine):
    """A machine whose spokes speak through a relay, and whose hub is weighed."""

    relays: dict[str, Relay] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)
    renewed: bool = False
    peak: int = 0
    """Bytes: the most that the hub's processes together held (RSS, so shared pages count more than once)."""

    def start(self, pod: str, container: Object) -> Process:
        if pod != "hub" and pod not in self.relays:
            settings = self.logs.parent / "clusters" / pod / "config" / "collaborator.json"
            content = json.loads(settings.read_text())
            kept = self.relays[pod] = self.stack.enter_context(relay(int(content["gateway"].rpartition(":")[2])))
            settings.write_text(json.dumps({**content, "gateway": f"127.0.0.1:{kept.port}"}))
        return super().start(pod, container)

    def weigh(self) -> None:
        roots = [
            psutil.Process(process.popen.pid) for process in self.processes if process.pod == "hub" and process.exit_code is None
        ]
        total = 0
        for process in roots + [child for root in roots for child in root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                total += process.memory_info().rss
        self.peak = max(self.peak, total)


@dataclass(frozen=True)
class Outcome:
    """What is left of the federation."""

    example: Path
    out: Path
    statuses: list[FederatedLearningStatus]
    machine: Watched
    left: list[psutil.Process]

    @property
    def document(self) -> Any:
        return yaml.safe_load((self.out / "federatedlearning.yaml").read_text())


@functools.cache
def example() -> Path:
    """The example that `fedspoke demo` writes; not to be changed, but copied."""
    folder = Path(tempfile.mkdtemp(prefix="fedspoke-example-")) / "example"
    demo.write(folder)
    return folder


@functools.cache
def outcome() -> Outcome:
    """The federation of `fedspoke demo`, run to its end."""
    folder = Path(tempfile.mkdtemp(prefix="fedspoke-federation-"))
    shutil.copytree(example(), folder / "example")
    here = Watched(folder / "out" / "logs")
    statuses: list[FederatedLearningStatus] = []

    @contextmanager
    def watched(logs: Path) -> Iterator[Machine]:
        done = threading.Event()

        def weigh() -> None:
            while not done.wait(0.25):
                try:
                    here.weigh()
                except psutil.NoSuchProcess:
                    continue

        with machine(logs), here.stack:
            threading.Thread(target=weigh, daemon=True).start()
            try:
                yield here
            finally:
                done.set()
                here.stop()

    given, out = folder / "example", folder / "out"

    def seen(status: FederatedLearningStatus) -> None:
        statuses.append(status)
        if status.rounds and status.rounds.completed == 1 and not here.renewed:
            here.renewed = True
            _renew(out)

    run(given / "federatedlearning.yaml", given / "clusters", out, seen, on=watched)
    return Outcome(given, out, statuses, here, psutil.Process().children(recursive=True))


def _renew(out: Path) -> None:
    """Every certificate anew, while the federation runs."""
    now = datetime.now(UTC)
    issuer = authority(out / "hub" / "authority", now)
    certificates = Certificates(
        authority=issuer,
        hub=(out / "hub" / "id").read_text(),
        gateway=(server_name("demo", "social"), out / "hub" / "certificate"),
        clusters={path.name: path / "certificate" for path in (out / "clusters").iterdir()},
    )
    certificates.keep_fresh(now)
