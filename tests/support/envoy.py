"""A real Envoy for the length of a `with` block: started from the files that the product writes, on ports that are free."""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fedspoke.api.federated_learning import Object
from fedspoke.manifestworks import envoy

T = TypeVar("T")


def wait_for(found: Callable[[], T | None], what: str, seconds: float = 30) -> T:
    """What `found` answers, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return answer


def write(folder: Path, files: Mapping[str, Object]) -> None:
    """Each file whole, by rename: Envoy reads it on that event."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        temporary = folder / f".{name}"
        temporary.write_text(json.dumps(content))
        temporary.replace(folder / name)


@dataclass(frozen=True)
class Envoy:
    """A running one, asked over its admin socket."""

    process: subprocess.Popen[bytes]
    admin: Path
    log: Path

    def ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("admin", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(self.admin))
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def listening(self) -> int | None:
        """The port that its one listener got, once it is ready."""
        assert self.process.poll() is None, f"Envoy ended: {self.log.read_text()}"
        try:
            if self.ask("/ready")[0] != http.HTTPStatus.OK:
                return None
            listeners = json.loads(self.ask("/listeners?format=json")[1]).get("listener_statuses", [])
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        return int(listeners[0]["local_address"]["socket_address"]["port_value"]) if listeners else None

    @property
    def port(self) -> int:
        return wait_for(self.listening, f"a listener of Envoy ({self.log.read_text()})")

    def serials(self, kind: str) -> set[int]:
        """Serial numbers of what it uses now: `cert_chain` (its own) or `ca_cert` (whom it trusts)."""
        certificates = json.loads(self.ask("/certs")[1])["certificates"]
        return {int(each["serial_number"], 16) for certificate in certificates for each in certificate.get(kind, [])}

    def stat(self, name: str) -> int:
        """A counter or gauge; 0 while nothing was counted."""
        stats = json.loads(self.ask(f"/stats?format=json&filter=^{name}$")[1])["stats"]
        return sum(int(stat["value"]) for stat in stats if "value" in stat)


@contextmanager
def running(folder: Path, files: Mapping[str, Object]) -> Iterator[Envoy]:
    write(folder, files)
    admin = Path(files["envoy.json"]["admin"]["address"]["pipe"]["path"])
    log = folder / "envoy.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(envoy.command(str(folder / "envoy.json")), stdout=sink, stderr=sink, stdin=subprocess.DEVNULL)
    try:
        started = Envoy(process, admin, log)
        wait_for(started.listening, "Envoy's start")
        yield started
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def refused_by_envoy(folder: Path, files: Mapping[str, Object]) -> str:
    """What `envoy --mode validate` says of the files, with the watched ones made static; empty when it takes them."""
    bootstrap = dict(files["envoy.json"])
    if bootstrap.pop("dynamic_resources", None):
        watched = {"listeners": "listeners.json", "clusters": "upstreams.json"}
        bootstrap["static_resources"] = {
            kind: [{key: each[key] for key in each if key != "@type"} for each in files[file]["resources"]]
            for kind, file in watched.items()
        }
    write(folder, {**files, "envoy.json": bootstrap})
    command = [*envoy.command(str(folder / "envoy.json")), "--mode", "validate"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if result.returncode == 0 else result.stderr
