"""`fedspoke run` as a user runs it, mutual TLS and all; only each cluster's trainer stands in for the real one.

python -m benchmarks.product FOLDER CLUSTERS ROUNDS MIB [THE GATEWAY'S PORT]
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import payload
from benchmarks.trainer import layout
from fedspoke.api import documents
from fedspoke.api.adapter import WEIGHTS_FILE
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import FederatedLearningStatus, Object
from fedspoke.hub.aggregation.initial import initial
from fedspoke.local.processes import Machine, Process, machine
from fedspoke.local.run import run
from support import adapters, build

MARKS = "out/hub/state/rounds.jsonl"
COMBINING = "out/hub/state/rounds/.{round}.safetensors.*"  # the next adapter while it is written
ACCESS_LOG = "out/logs/gateway-access.log"


@dataclass(slots=True)
class WithoutModels(Machine):
    """A machine on which mcp-server is the benchmark's."""

    mib: int = 0

    def start(self, pod: str, container: Object) -> Process:
        if container["name"] == "mcp-server":
            command = [sys.executable, "-m", "benchmarks.trainer", str(self.mib), container["command"][-1]]
            container = {**container, "command": command}
        return Machine.start(self, pod, container)


@contextmanager
def without_models(logs: Path, mib: int) -> Iterator[Machine]:
    with machine(logs) as here:
        yield WithoutModels(here.logs, here.processes, mib)


def main(folder: Path, clusters: int, rounds: int, mib: int, gateway_port: int = 0) -> None:
    listeners = [{"name": "line", "port": gateway_port}] if gateway_port else []
    cr = build.federated_learning(
        name="bench",
        server={"rounds": rounds, "minAvailableClients": clusters, "roundTimeout": "5m", "listeners": listeners},
        client={"data": {"platforms": ["facebook"]}},
        training={"model": {"name": "stand-in"}, "lora": {"rank": payload.RANK}},
        profiles={"enabled": False},
        deadline="9m",
    )
    (folder / "bench.yaml").write_text(documents.dump(cr))
    (folder / "declared").mkdir()
    for number in range(1, clusters + 1):
        cluster = build.cluster(f"cluster{number}", claims=build.declares("facebook", path="."))
        (folder / f"declared/cluster{number}.yaml").write_text(documents.dump(cluster))
    on = partial(without_models, mib=mib)
    last: FederatedLearningStatus = run(folder / "bench.yaml", folder / "declared", folder / "out", lambda _: None, on=on)
    if last.phase != "Completed":
        raise Failed(last.message)
    initial(layout(mib), "default.bench", folder / "start.safetensors")
    first, final = (adapters.load(path) for path in (folder / "start.safetensors", folder / "out/global" / WEIGHTS_FILE))
    payload.confirm(first, final, clusters, rounds)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    except (Failed, Refused) as error:
        sys.exit(f"fedspoke: {error}")
