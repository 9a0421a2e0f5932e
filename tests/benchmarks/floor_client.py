"""One client of the floor: plain HTTP to its sidecar, one buffer for all rounds.

python -m benchmarks.floor_client PORT CLUSTER ROUNDS MIB
"""

import http.client
import sys

import numpy as np

from benchmarks import payload
from benchmarks.floor_server import PATH

_CHUNK = 1 << 20


def main(port: int, cluster: int, rounds: int, mib: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, blocksize=_CHUNK)
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
    main(*map(int, sys.argv[1:5]))
