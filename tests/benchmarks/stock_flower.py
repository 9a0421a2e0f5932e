"""Stock Flower as its documentation has it: a SuperLink, a SuperNode a cluster, `flwr run`; no TLS.

python -m benchmarks.stock_flower FOLDER CLUSTERS ROUNDS
"""

import sys
import time
from pathlib import Path

from benchmarks import payload
from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Object
from fedspoke.flower.programs import environment
from fedspoke.local.processes import machine
from support import adapters
from support.mcp import free_port

MARKS, RESULT = "rounds.txt", "result.safetensors"
_APP = Path(__file__).with_name("stock")


def main(folder: Path, clusters: int, rounds: int) -> None:
    link, home = f"127.0.0.1:{free_port()}", folder / "flwr"
    home.mkdir()
    (home / "config.toml").write_text(f'[superlink.bench]\naddress = "{link}"\ninsecure = true\n')
    config = f'rounds={rounds} clusters={clusters} marks="{folder / MARKS}" result="{folder / RESULT}"'
    host, port = link.split(":")
    with machine(folder / "logs") as here:
        own = ["--insecure", "--host", host, "--port", port, "--disable-runtime-dependency-installation"]
        here.start("hub", program("flower-superlink", *own, home=home))
        for number in range(1, clusters + 1):
            where = ["--insecure", "--superlink", link, "--port", str(free_port()), "--node-config", f"cluster={number}"]
            here.start(f"cluster{number}", program("flower-supernode", *where, home=home))
        until = time.monotonic() + 60
        while True:  # `flwr run` gives up when the SuperLink is not up yet
            submit = here.start("hub", program("flwr", "run", str(_APP), "bench", "--run-config", config, home=home))
            if submit.popen.wait(60) == 0:
                break
            if time.monotonic() > until:
                raise Failed(f"flwr run: {submit.last_words()}")
            time.sleep(1)
        until = time.monotonic() + 120 * rounds
        while not (folder / RESULT).exists():
            if time.monotonic() > until:
                raise Failed(f"stock Flower did not end {rounds} rounds within {120 * rounds} s; its logs are in {folder}")
            time.sleep(0.2)
    payload.confirm(payload.start(), adapters.load(folder / RESULT), clusters, rounds)


def program(*command: str, home: Path) -> Object:
    """A container that runs one of Flower's programs."""
    variables = {**environment(home), "PYTHONPATH": str(Path(__file__).parents[1])}
    return {
        "name": Path(command[0]).name,
        "command": list(command),
        "env": [{"name": name, "value": value} for name, value in variables.items()],
    }


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except Failed as error:
        sys.exit(f"stock Flower: {error}")
