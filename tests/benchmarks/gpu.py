"""`make bench-gpu`: a training step of LLaVA 1.5 7B, ours beside transformers' Trainer and TRL's SFTTrainer, one after the other.

All train the same adapter (rank 16) over the same random weights: forward, backward, optimiser, and making tensors of posts (one
photo, about 60 tokens of caption) by each one's own usual way. The first steps are not measured. Each case has a process of its
own, and the two files of the result are whole after each: what goes wrong is a row, and the next case is measured. Where a GPU is
there for some minutes only, activations that are kept go first, as most cards with room for them are used so.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import torch

from benchmarks.gpu_report import Case, Result, write
from fedspoke.collaborator.quantization import Quantization

_SYSTEMS = ("fedspoke", "transformers", "TRL")
_WEIGHTS: tuple[Quantization, ...] = ("none", "nf4")
_MODULES = Path(__file__).parents[1]
_START = 300.0  # seconds for imports, the weights and the steps that are not measured


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="A training step of LLaVA 1.5 7B beside transformers Trainer and TRL SFTTrainer."
    )
    parser.add_argument("--seconds", type=float, default=15, help="measured time of each of the 12 cases")
    parser.add_argument("--minutes", type=float, default=math.inf, help="the run is over by then, with what it has measured")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on the CPU: whether it runs, not how fast")
    parser.add_argument("--out", type=Path, default=Path("out/bench-gpu.json"), help="the table and the log go beside it")
    chosen = parser.parse_args(arguments)
    if not chosen.tiny and not torch.cuda.is_available():
        print("bench-gpu measures a GPU and this machine has none that torch sees; --tiny tries it on the CPU", file=sys.stderr)
        raise SystemExit(2)
    cases = [
        Case(system, weights, checkpointing, chosen.seconds, chosen.tiny)
        for checkpointing, weights, system in product((False, True), _WEIGHTS, _SYSTEMS)  # whoever is compared, side by side
    ]
    print(f"\n{each(cases, chosen.out, chosen.minutes)}")


def each(cases: Sequence[Case], out: Path, minutes: float = math.inf) -> str:
    """The table of these cases, within so many minutes. What all of them said is in one log beside it."""
    over = time.monotonic() + 60 * minutes
    log = out.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    results: list[Result] = []
    text = ""
    for number, case in enumerate(cases, 1):
        print(f"{number} of {len(cases)}: {case}", file=sys.stderr)
        results.append(_measured(case, log, over - time.monotonic()))
        text = write(out, results, tiny=case.tiny)
    return text


def _measured(case: Case, log: Path, left: float) -> Result:
    """The case's row; `left` are the seconds after which nobody waits for it."""
    if case.system == "TRL" and not find_spec("trl"):
        return _failed(case, "TRL is not installed: `make .bench/trl/site-packages` fetches it where there is a network")
    if left <= 0:
        return _failed(case, "not measured, as the minutes were over")
    limit = _START + 10 * case.seconds
    modules = os.pathsep.join(filter(None, (str(_MODULES), os.environ.get("PYTHONPATH"))))
    with log.open("ab") as sink, tempfile.TemporaryDirectory() as folder:
        sink.write(f"== {case}\n".encode())
        sink.flush()
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "benchmarks.gpu_case", json.dumps(asdict(case)), str(result)]
        try:
            status = subprocess.run(
                command, stdout=sink, stderr=sink, timeout=min(limit, left), check=False, env=os.environ | {"PYTHONPATH": modules}
            ).returncode
        except subprocess.TimeoutExpired:
            late = "was cut off, as the minutes were over" if left < limit else f"took longer than {limit:.0f} s"
            return _failed(case, f"it {late}; {log} says more")
        if result.exists():
            return Result(**json.loads(result.read_text()))
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
    return _failed(case, f"its process {how}; {log} says more")


def _failed(case: Case, why: str) -> Result:
    return Result(case.system, case.weights, case.checkpointing, failed=why)


if __name__ == "__main__":
    main()
