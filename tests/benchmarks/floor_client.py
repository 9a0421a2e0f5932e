"""One client of the floor: its own TLS with its own certificate, one buffer for all rounds.

python -m benchmarks.floor_client FOLDER PORT CLUSTER ROUNDS MIB
"""

import http.client
import socket
import sys
from pathlib import Path

import numpy as np

from benchmarks import payload
from benchmarks.floor_server import PATH
from fedspoke.api.names import server_name
from support import certificates

_CHUNK = 1 << 20


def main(folder: Path, port: int, cluster: int, rounds: int, mib: int) -> None:
    name = server_name("default", "bench")
    connection = http.client.HTTPConnection(name, blocksize=_CHUNK)
    context = certificates.context(folder / "ca", folder / f"cluster{cluster}")
    connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=name)
    buffer = bytearray(mib << 20)
    view, values = memoryview(buffer), np.frombuffer(buffer, np.float16).reshape(-1, payload.RANK, payload.WIDTH)
    for number in range(1, rounds + 1):
        path = PATH.replace("{run}", "default.bench").replace("{round:int}", str(number))
        connection.request("GET", path)
        answer, have = connection.getresponse(), 0
        while have < len(buffer):
            have += answer.readinto(view[have : have + _CHUNK])
        answer.read()
        for tensor in values:
            tensor[:] = payload.train(tensor, cluster)
        connection.request("PUT", path, view, {"content-length": str(len(buffer))})
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.CREATED:
            sys.exit(f"the floor's server answered {answer.status} in round {number}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
