"""Makes the job and hands it to the server, in NVFlare's environment.

python -m benchmarks.flare.submit ADMIN FOLDER CLUSTERS ROUNDS MIB
"""

import sys
import time
from pathlib import Path

from nvflare.fuel.flare_api.flare_api import new_secure_session
from nvflare.job_config.api import FedJob
from nvflare.job_config.script_runner import FrameworkType, ScriptRunner

from benchmarks.flare.controller import BenchFedAvg


def main(admin: Path, folder: Path, clusters: int, rounds: int, mib: int) -> None:
    job = FedJob("bench", min_clients=clusters)
    job.to_server(BenchFedAvg(str(folder), mib, clusters, rounds))
    for number in range(1, clusters + 1):
        script = ScriptRunner(str(Path(__file__).with_name("client.py")), framework=FrameworkType.NUMPY)
        job.to(script, f"site-{number}")
    job.export_job(str(folder / "job"))
    session = new_secure_session(admin.name, str(admin), timeout=60)
    try:
        until = time.monotonic() + 60
        while len(session.get_system_info().client_info) < clusters:
            if time.monotonic() > until:
                sys.exit("not all sites are there within 60 s")
            time.sleep(0.5)
        session.submit_job(str(folder / "job/bench"))
    finally:
        session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]))
