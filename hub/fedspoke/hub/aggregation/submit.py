"""Submits the run to the SuperLink through the client that Flower keeps for itself; so flwr is pinned exactly."""

from hashlib import sha256
from pathlib import Path

from flwr.cli.build import build_fab_from_files
from flwr.common.serde import user_config_to_proto
from flwr.proto.control_pb2 import ListRunsRequest, StartRunRequest
from flwr.proto.fab_pb2 import Fab
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

_HERE = Path(__file__)
_APP = [_HERE.with_name("flower-app.toml"), _HERE.parents[3] / "flower-app" / "pyproject.toml"]  # in a wheel, in the source tree


def app() -> Path:
    """The app's pyproject.toml."""
    return next(path for path in _APP if path.is_file())


def bundle() -> bytes:
    """The app as Flower wants it (a FAB): the names of its halves."""
    content, _ = build_fab_from_files({"pyproject.toml": app().read_bytes()})
    return content


def submit(address: str, settings: Path) -> int:
    """Start a run of our app with the aggregator's settings file; returns Flower's number for it."""
    content = bundle()
    request = StartRunRequest(
        fab=Fab(hash_str=sha256(content).hexdigest(), content=content),
        override_config=user_config_to_proto({"settings": str(settings)}),
    )
    with _control(address) as control:
        return int(control.StartRun(request).run_id)


def details(address: str, run: int) -> str:
    """What Flower says of a run's end."""
    with _control(address) as control:
        return str(control.ListRuns(ListRunsRequest(run_id=run)).run_dict[run].status.details)


def _control(address: str) -> ControlHttpClient:
    version = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
    return ControlHttpClient.from_server_address(address, insecure=True, root_certificates=None, interceptors=[version])
