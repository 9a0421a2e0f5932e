"""Stock Flower as its documentation has it: a SuperLink, a SuperNode a cluster, `flwr run`; no TLS.

python -m benchmarks.stock_flower FOLDER CLUSTERS ROUNDS MIB
"""

import sys
import time
from pathlib import Path

from benchmarks import environments, payload
from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Object
from fedspoke.flower.programs import FLOWER, environment
from fedspoke.local.processes import Machine, machine
from support.mcp import free_port

_APP = Path(__file__).with_name("stock")


def environ() -> Path:
    """The programs of Flower's own environment."""
    return environments.made("flower", f"flwr=={FLOWER}", "numpy")


def main(folder: Path, clusters: int, rounds: int, mib: int) -> None:
    link, home = f"127.0.0.1:{free_port()}", folder / "flwr"
    home.mkdir()
    (home / "config.toml").write_text(f'[superlink.bench]\naddress = "{link}"\ninsecure = true\n')
    config = f'rounds={rounds} clusters={clusters} mib={mib} folder="{folder}"'
    host, port = link.split(":")
    with machine(folder / "logs") as here:
        own = ["--insecure", "--host", host, "--port", port, "--disable-runtime-dependency-installation"]
        here.start("hub", program("flower-superlink", *own, home=home))
        for number in range(1, clusters + 1):
            where = ["--insecure", "--superlink", link, "--port", str(free_port()), "--node-config", f"cluster={number}"]
            here.start(f"cluster{number}", program("flower-supernode", *where, home=home))
        _submit(here, program("flwr", "run", str(_APP), "bench", "--run-config", config, home=home))
        while (last := payload.kept(folder)) is None:
            for process in here.processes:
                if process.exit_code is not None and process.container != "flwr":
                    raise Failed(f"{process.pod}'s {process.container} ended: {process.last_words()}")
            time.sleep(0.2)
    payload.confirm(payload.start(mib), last, clusters, rounds)


def _submit(here: Machine, container: Object) -> None:
    until = time.monotonic() + 60
    while (submit := here.start("hub", container)).popen.wait(60):  # it gives up when the SuperLink is not up yet
        if time.monotonic() > until:
            raise Failed(f"flwr run: {submit.last_words()}")
        time.sleep(1)


def program(*command: str, home: Path) -> Object:
    """A container that runs one of Flower's programs."""
    own = environ()
    variables = {**environment(home), **environments.variables(own)}
    return {
        "name": command[0],
        "command": ["env", *(f"{name}={value}" for name, value in variables.items()), str(own / command[0]), *command[1:]],
    }


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
    except Failed as error:
        sys.exit(f"stock Flower: {error}")
