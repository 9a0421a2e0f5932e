"""The processes that the images run. Each reads one settings file (fedspoke.api.records), which holds no secret."""

import signal
import sys
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError

from fedspoke.api.errors import Refused
from fedspoke.api.records import AggregatorSettings, CollaboratorSettings, FusionSettings, Record

R = TypeVar("R", bound=Record)

_settings = click.option("--settings", "path", type=click.Path(path_type=Path), required=True, help="The settings file, JSON.")


@click.command
@_settings
def aggregator(path: Path) -> None:
    """Run a federation's aggregator: the SuperLink and the rounds."""
    from fedspoke.hub.aggregation import superlink

    superlink.run(read(path, AggregatorSettings), path)


@click.command
@click.option("--state", type=click.Path(path_type=Path), required=True, help="The aggregator's folder.")
@click.option("--config-map", required=True, metavar="NAMESPACE/NAME", help="Where the controller looks for it.")
@click.option("--federation", default="", help="The uid of its resource; another's rounds are not told.")
def reporter(state: Path, config_map: str, federation: str) -> None:
    """Tell the controller how a federation goes (a container's command)."""
    from fedspoke.hub import reporter
    from fedspoke.kube.client import Kubernetes

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # a container's first process ignores it otherwise
    namespace, _, name = config_map.partition("/")
    reporter.report(
        Kubernetes.of_environment(),
        state,
        federation,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": namespace, "name": name}},
    )


@click.command
@_settings
def fusion(path: Path) -> None:
    """Run the fusion service."""
    from fedspoke.hub.fusion import service

    service.serve(lambda: read(path, FusionSettings))


@click.command
@_settings
@click.option("--stdio", is_flag=True, help="Serve the program that starts this one, and listen nowhere.")
def mcp(path: Path, stdio: bool) -> None:
    """Run a collaborator's trainer as an MCP server."""
    from fedspoke.collaborator import mcp_server

    serve = mcp_server.serve_stdio if stdio else mcp_server.serve
    serve(read(path, CollaboratorSettings))


@click.command
@_settings
def collaborator(path: Path) -> None:
    """Run a collaborator's Flower client."""
    from fedspoke.collaborator import flower_client

    flower_client.run(read(path, CollaboratorSettings))


def read(path: Path, record: type[R]) -> R:
    """The settings of a process.

    Raises:
        Refused: the file is not there, or holds others.
    """
    try:
        return record.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Refused(f"the settings file {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"the settings file {path} is wrong at {where}: {first['msg']}") from error
