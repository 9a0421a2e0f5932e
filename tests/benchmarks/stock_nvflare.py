"""NVFlare as its documentation has it: `nvflare provision` (mutual TLS, its http driver), a server, a site a cluster, FedAvg.

python -m benchmarks.stock_nvflare FOLDER CLUSTERS ROUNDS MIB
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks import environments, payload
from fedspoke.api import documents
from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Object
from fedspoke.local.processes import machine
from support.mcp import free_port

NVFLARE = "2.9.0"
_ADMIN = "admin@bench.example"
_BUILDERS = "nvflare.lighter.impl"


def environ() -> Path:
    """The programs of NVFlare's own environment."""
    return environments.made("nvflare", f"nvflare=={NVFLARE}", "numpy")


def main(folder: Path, clusters: int, rounds: int, mib: int) -> None:
    kits = _provisioned(folder, clusters)
    with machine(folder / "logs") as here:
        server = [
            "-m",
            str(kits / "localhost"),
            "-s",
            "fed_server.json",
            "--set",
            "secure_train=true",
            "org=bench",
            "config_folder=config",
        ]
        running = [here.start("hub", program("nvflare.private.fed.app.server.server_train", *server, name="server"))]
        for number in range(1, clusters + 1):
            site = f"site-{number}"
            told = [
                "-m",
                str(kits / site),
                "-s",
                "fed_client.json",
                "--set",
                "secure_train=true",
                f"uid={site}",
                "org=bench",
                "config_folder=config",
            ]
            running.append(here.start(site, program("nvflare.private.fed.app.client.client_train", *told, name="client")))
        numbers = [str(number) for number in (clusters, rounds, mib)]
        submit = here.start("hub", program("benchmarks.flare.submit", str(kits / _ADMIN), str(folder), *numbers, name="submit"))
        if submit.popen.wait(150):
            raise Failed(f"the job could not be submitted: {submit.last_words()}")
        while (last := payload.kept(folder)) is None:
            for process in running:
                if process.exit_code is not None:
                    raise Failed(f"{process.pod}'s {process.container} ended: {process.last_words()}")
            time.sleep(0.2)
    payload.confirm(payload.start(mib), last, clusters, rounds)


def _provisioned(folder: Path, clusters: int) -> Path:
    """The start-up kits, a folder for each participant."""
    ports = {"fed_learn_port": free_port(), "admin_port": free_port()}
    project: Object = {
        "api_version": 3,
        "name": "bench",
        "description": "bench",
        "participants": [
            {"name": "localhost", "type": "server", "org": "bench", **ports},
            *({"name": f"site-{number}", "type": "client", "org": "bench"} for number in range(1, clusters + 1)),
            {"name": _ADMIN, "type": "admin", "org": "bench", "role": "project_admin"},
        ],
        "builders": [
            {"path": f"{_BUILDERS}.workspace.WorkspaceBuilder", "args": {"template_file": ["master_template.yml"]}},
            {"path": f"{_BUILDERS}.static_file.StaticFileBuilder", "args": {"config_folder": "config"}},
            {"path": f"{_BUILDERS}.cert.CertBuilder"},
            {"path": f"{_BUILDERS}.signature.SignatureBuilder"},
        ],
    }
    (folder / "project.yml").write_text(documents.dump(project))
    command = [str(environ() / "nvflare"), "provision", "-p", str(folder / "project.yml"), "-w", str(folder / "kits")]
    made = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False)
    kits = folder / "kits/bench/prod_00"
    if made.returncode or not kits.is_dir():
        raise Failed(f"nvflare provision: {made.stdout[-300:]} {made.stderr[-300:]}")
    return kits


def program(module: str, *arguments: str, name: str) -> Object:
    """A container that runs a module in NVFlare's environment."""
    variables = environments.variables(environ())
    given = [f"{name}={value}" for name, value in variables.items()]
    return {"name": name, "command": ["env", *given, str(environ() / "python"), "-u", "-m", module, *arguments]}


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
    except Failed as error:
        sys.exit(f"NVFlare: {error}")
