"""The floor: plain HTTP streaming and a numpy fold behind fedspoke's own gateway and sidecars, so that its TLS is the same.

python -m benchmarks.floor FOLDER CLUSTERS ROUNDS MIB [THE GATEWAY'S PORT]
"""

import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import payload
from benchmarks.floor_server import place
from fedspoke.api.errors import Failed
from fedspoke.api.names import server_name
from fedspoke.hub.gateway import Federation, files
from fedspoke.local.processes import machine
from fedspoke.manifestworks import sidecar
from support import certificates, wire
from support.envoy import running, wait_for
from support.mcp import free_port


def main(folder: Path, clusters: int, rounds: int, mib: int, gateway_port: int = 0) -> None:
    port, names = free_port(), [f"cluster{number}" for number in range(1, clusters + 1)]
    ours = certificates.authority()
    certificates.bundle(folder / "ca", ours)
    certificates.server(folder / "server", ours, server_name("default", "bench"))
    for name in names:
        certificates.client(folder / name, ours, name)
    identities = wire.known(*names)
    federation = Federation(namespace="default", name="bench", identities=identities, superlink=port, adapters=port, fusion=port)
    with machine(folder / "logs") as here:
        server = here.start("hub", program("floor_server", folder, port, clusters, mib))
        gateway = replace(wire.gateway(folder), access_log="/dev/null", port=gateway_port)
        with ExitStack() as envoys:
            hub = envoys.enter_context(running(folder / "gateway", files(gateway, [federation])))
            wait_for(lambda: listening(port), "the floor's server", 60)
            clients = []
            for number, name in enumerate(names, 1):
                dialling = wire.dialling(folder, name, hub.port, server_name("default", "bench"))
                spoke = envoys.enter_context(running(Path(dialling.folder), sidecar.files(dialling)))
                clients.append(here.start(name, program("floor_client", spoke.port, number, rounds, mib)))
            while any(client.exit_code is None for client in clients):
                for process in (server, *clients):
                    if process.exit_code:
                        raise Failed(f"{process.pod}: {process.last_words()}")
                time.sleep(0.2)
    first = payload.start(mib)
    last = np.fromfile(place(folder, rounds + 1), np.float16).reshape(len(first), payload.RANK, -1)
    payload.confirm(first, dict(zip(first, last, strict=True)), clusters, rounds)


def listening(port: int) -> bool:
    """Somebody does."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str, *arguments: object) -> dict[str, object]:
    return {"name": name.replace("_", "-"), "command": [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]}


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    except Failed as error:
        sys.exit(f"the floor: {error}")
