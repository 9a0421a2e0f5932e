"""The least that a hub can do: hand out a file, add what comes in to an fp32 sum as it comes, write the mean, begin again.

No digest, no verification, no file of a cluster's own, no second attempt: a bound, not a product.

python -m benchmarks.floor_server FOLDER PORT CLUSTERS MIB
"""

import asyncio
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from benchmarks import payload

PATH = "/v1/runs/default.bench/rounds/{round:int}/adapter"
_BLOCK = 1 << 20


class _File(FileResponse):
    chunk_size = _BLOCK


def main(folder: Path, port: int, clusters: int, mib: int) -> None:
    total = np.zeros((mib << 20) // 2, np.float32)
    came, ready = defaultdict[int, int](int), defaultdict[int, asyncio.Event](asyncio.Event)
    with place(folder, 1).open("wb") as file:
        for values in payload.start(mib).values():
            file.write(values.data)

    async def get(request: Request) -> Response:
        """The adapter that round n starts from, as soon as there is one."""
        number = request.path_params["round"]
        if number > 1:
            await ready[number].wait()
        return _File(place(folder, number))

    async def put(request: Request) -> Response:
        number, block, done = request.path_params["round"], bytearray(), 0
        async for chunk in request.stream():
            block += chunk
            if len(block) >= _BLOCK:
                whole = len(block) & ~1
                done = _add(total, done, block[:whole])
                del block[:whole]
        _add(total, done, block)
        came[number] += 1
        if came[number] == clusters:
            _finish(total, clusters, place(folder, number + 1))
            payload.mark(folder / payload.MARKS, number)
            ready[number + 1].set()
        return Response(status_code=201)

    app = Starlette(routes=[Route(PATH, get), Route(PATH, put, methods=["PUT"])])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


def place(folder: Path, number: int) -> Path:
    """The adapter that round `number` starts from."""
    return folder / f"{number}.bin"


def _add(total: payload.Single, begin: int, block: bytearray) -> int:
    values = np.frombuffer(block, np.float16)
    total[begin : begin + values.size] += values
    return begin + values.size


def _finish(total: payload.Single, clusters: int, path: Path) -> None:
    size = _BLOCK // 2
    with path.open("wb") as file:
        for begin in range(0, total.size, size):
            file.write((total[begin : begin + size] / np.float32(clusters)).astype(np.float16).data)
    total[:] = 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
