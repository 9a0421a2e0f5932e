"""CrewAI would tell its makers of each run; here it tells nobody, and keeps nothing outside the collaborator's output."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.no_routes import ROUNDS

ALONE = ["unshare", "--net", "--map-root-user"]


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*ALONE, "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine lets nobody make a network namespace",
)
def test_a_flow_from_its_start_to_the_profile_sends_nothing_beyond_loopback(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1]), "OTEL_BSP_SCHEDULE_DELAY": "50"}
    command = [*ALONE, sys.executable, "-m", "support.no_routes", str(work)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    rounds = [f"train_llava {number}" for number in range(1, ROUNDS + 1)]
    before, after = ["download_model", "fetch_data facebook", "clean_data"], ["evaluate", "generate_profile facebook"]
    curated = ["set_aside facebook health 1", "name_topic facebook other 2"]
    assert told["steps"] == [*before, *curated, *rounds, *after]
    assert told["asked"] == 5
    assert told["known"] >= 2  # the kernel counts what is tried
    assert told["sent"] == 0
    assert list(home.iterdir()) == []
