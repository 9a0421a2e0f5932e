"""A trainer that is really killed in a round, and started again, ends in the bytes of one that nobody disturbed."""

import signal
import subprocess
import sys
from pathlib import Path

from support import adapters
from support.tiny import coloured_shapes, tiny_llava
from support.trainee import STEPS
from support.training import first_adapter, silent, trainer


def steps_until(last: int, folder: Path) -> list[int]:
    """Which steps a process takes that is killed once it said the last of them."""
    command = [sys.executable, "-m", "support.trainee", str(tiny_llava()), str(folder), str(last)]
    steps: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout
        for line in process.stdout:
            steps.append(int(line))
            if steps[-1] == last:
                process.send_signal(signal.SIGKILL)
                break
    return steps


def test_killed_in_a_round_it_goes_on_where_it_was(tmp_path: Path) -> None:
    undisturbed = trainer(steps=STEPS)
    start = first_adapter(undisturbed, tmp_path / "start")
    undisturbed.train(coloured_shapes(tmp_path), tmp_path, start, tmp_path / "undisturbed", 1, silent)
    assert steps_until(4, tmp_path) == [1, 2, 3, 4]
    assert not (tmp_path / "result").exists()
    assert steps_until(STEPS + 1, tmp_path) == list(range(5, STEPS + 1))
    assert adapters.digest(tmp_path / "result") == adapters.digest(tmp_path / "undisturbed")
