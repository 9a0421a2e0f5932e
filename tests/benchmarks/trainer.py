"""Stands in for a collaborator's mcp-server: the same protocol and tools, and a training that only adds."""

import sys
from pathlib import Path

import uvicorn
from mcp.server.fastmcp import FastMCP

from benchmarks import payload
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.answers import DataCleaned, DataFetched, Evaluated, LlavaTrained, ModelReady
from support import adapters


def main(settings: CollaboratorSettings) -> None:
    server = FastMCP("stand-in", stateless_http=True)
    number = int(settings.cluster.removeprefix("cluster"))

    @server.tool()
    def download_model() -> ModelReady:
        return ModelReady(layout=payload.LAYOUT)

    @server.tool()
    def fetch_data(platform: Platform) -> DataFetched:
        return DataFetched(posts=payload.EXAMPLES, skipped={})

    @server.tool()
    def clean_data() -> DataCleaned:
        return DataCleaned(records={"facebook": payload.EXAMPLES}, dropped={})

    @server.tool()
    def train_llava(round: int, adapter: str, output: str) -> LlavaTrained:  # noqa: A002  the tool's argument
        start = adapters.load(Path(adapter))
        adapters.save({name: payload.train(values, number) for name, values in start.items()}, Path(output))
        return LlavaTrained(examples=payload.EXAMPLES, loss=1 / round, seconds=0)

    @server.tool()
    def evaluate(adapter: str) -> Evaluated:
        return Evaluated()

    Path(settings.mcp_token).write_text("stand-in")
    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=settings.mcp_port, log_level="warning")


if __name__ == "__main__":
    main(CollaboratorSettings.model_validate_json(Path(sys.argv[-1]).read_bytes()))
