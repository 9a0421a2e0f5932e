"""One case of the GPU's benchmark in a process of its own: `-m benchmarks.gpu_case CASE RESULT`, JSON and a file for JSON.

So a case that crashes, or leaves memory behind, spoils no other.
"""

import json
import sys
import tempfile
import traceback
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import gpu_model, gpu_systems
from benchmarks.gpu_report import BATCH, Case, Result
from fedspoke.collaborator.memory import lacking


def measure(case: Case) -> Result:
    """The case's row, whatever happens."""
    device = torch.device("cpu" if case.tiny else "cuda")
    stopwatch = gpu_systems.Stopwatch(case.seconds, device)
    speed = adapter = failed = None
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = gpu_model.source(Path(folder), device, case)
            adapter = gpu_systems.SYSTEMS[case.system](case, source, Path(folder), stopwatch)
            speed = stopwatch.rate * BATCH
        except Exception as error:  # noqa: BLE001  the row says what it was, and the log where
            traceback.print_exc()
            first, _, _ = str(error).partition("\n")
            failed = "out of memory" if lacking(error) else f"{type(error).__name__}: {first:.200}"
    name = "cpu" if case.tiny else torch.cuda.get_device_name()
    return Result(case.system, case.weights, case.checkpointing, adapter, speed, stopwatch.peak, failed, name)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(asdict(measure(Case(**json.loads(sys.argv[1]))))))
