"""Stands in for a collaborator's mcp-server: the same protocol and tools, and a training that only adds.

It changes the file's values in one buffer for all rounds and leaves its header, so that it costs little more than the addition.

python -m benchmarks.trainer MIB SETTINGS
"""

import sys
from pathlib import Path

import numpy as np
import uvicorn
from mcp.server.fastmcp import FastMCP

from benchmarks import payload
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings, Tensor
from fedspoke.collaborator.answers import DataCleaned, DataFetched, Evaluated, LlavaTrained, ModelReady
from support import adapters


def layout(mib: int) -> tuple[Tensor, ...]:
    """The payload as LoRA factors."""
    return adapters.layout(payload.RANK, layers=mib // payload.LAYER_MIB, inner=payload.WIDTH, outer=payload.WIDTH)


def main(mib: int, settings: CollaboratorSettings) -> None:
    server = FastMCP("stand-in", stateless_http=True)
    number, file = int(settings.cluster.removeprefix("cluster")), bytearray()

    @server.tool()
    def download_model() -> ModelReady:
        return ModelReady(layout=layout(mib))

    @server.tool()
    def fetch_data(platform: Platform) -> DataFetched:
        return DataFetched(posts=payload.EXAMPLES, skipped={})

    @server.tool()
    def clean_data() -> DataCleaned:
        return DataCleaned(records={"facebook": payload.EXAMPLES}, dropped={})

    @server.tool()
    def train_llava(round: int, adapter: str, output: str) -> LlavaTrained:  # noqa: A002  the tool's argument
        file.extend(bytes(Path(adapter).stat().st_size - len(file)))
        with Path(adapter).open("rb") as start:
            start.readinto(file)
        values = np.frombuffer(file, np.float16, offset=8 + int.from_bytes(file[:8], "little"))
        for tensor in np.array_split(values, mib):
            tensor[:] = payload.train(tensor, number)
        Path(output).write_bytes(file)
        return LlavaTrained(examples=payload.EXAMPLES, loss=1 / round, seconds=0)

    @server.tool()
    def evaluate(adapter: str) -> Evaluated:
        return Evaluated()

    Path(settings.mcp_token).write_text("stand-in")
    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=settings.mcp_port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), CollaboratorSettings.model_validate_json(Path(sys.argv[2]).read_bytes()))
