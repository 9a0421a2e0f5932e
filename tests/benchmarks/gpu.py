"""`make bench-gpu`: a training step of LLaVA 1.5 7B, ours beside transformers' Trainer and TRL's SFTTrainer, one after the other.

All train the same adapter (rank 16) over the same random weights in one process: forward, backward, optimiser, and making tensors
of posts (one photo, about 60 tokens of caption) by each one's own usual way. The first steps are not measured.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import torch

from benchmarks import gpu_model, gpu_systems
from benchmarks.gpu_systems import Case, Stopwatch
from fedspoke.collaborator.quantization import Quantization

_WEIGHTS: tuple[Quantization, ...] = ("none", "nf4")
_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl")


@dataclass(frozen=True, slots=True)
class Result:
    """What a case took: posts per second and peak memory in GiB, weights included; or why it did not run."""

    system: str
    weights: str
    checkpointing: bool
    posts_per_second: float | None = None
    peak: float | None = None
    failed: str | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="A training step of LLaVA 1.5 7B beside transformers Trainer and TRL SFTTrainer."
    )
    parser.add_argument("--seconds", type=float, default=15, help="measured time of each of the 12 cases")
    parser.add_argument("--tiny", action="store_true", help="a tiny model on the CPU: whether it runs, not how fast")
    parser.add_argument("--out", type=Path, default=Path("out/bench-gpu.json"))
    chosen = parser.parse_args(arguments)
    if not chosen.tiny and not torch.cuda.is_available():
        print("bench-gpu measures a GPU and this machine has none that torch sees; --tiny tries it on the CPU", file=sys.stderr)
        raise SystemExit(2)
    device = torch.device("cpu" if chosen.tiny else "cuda")
    systems = [name for name in gpu_systems.SYSTEMS if name != "TRL" or find_spec("trl")]
    results = [_measure(Case(*case, seconds=chosen.seconds), device) for case in product(systems, _WEIGHTS, (False, True))]
    report = {
        "device": "cpu" if chosen.tiny else torch.cuda.get_device_name(),
        "model": "tiny" if chosen.tiny else "LLaVA 1.5 7B, random weights",
        "packages": {name: version(name) for name in _PACKAGES if find_spec(name)},
        "batch": gpu_systems.BATCH,
        "results": [asdict(result) for result in results],
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(report, indent=1))
    print(f"\n{report['model']} on {report['device']}, LoRA rank 16, batches of {gpu_systems.BATCH}; {report['packages']}\n")
    print("\n".join(table(results)))


def table(results: Sequence[Result]) -> list[str]:
    """Markdown, with what the others take in multiples of ours."""
    ours = {(result.weights, result.checkpointing): result for result in results if result.system == "fedspoke"}
    lines = ["| weights | recomputing | system | posts/s | of ours | peak GiB | of ours |", "|---|---|---|---|---|---|---|"]
    for result in sorted(results, key=lambda result: (result.weights, result.checkpointing)):
        own = ours[result.weights, result.checkpointing]
        speed = result.failed or _shown(result.posts_per_second)
        lines.append(
            f"| {result.weights} | {'yes' if result.checkpointing else 'no'} | {result.system} | {speed} "
            f"| {_ratio(result.posts_per_second, own.posts_per_second)} "
            f"| {_shown(result.peak)} | {_ratio(result.peak, own.peak)} |"
        )
    return lines


def _measure(case: Case, device: torch.device) -> Result:
    weights = case.quantization if case.quantization != "none" else "fp32" if device.type == "cpu" else "bf16"
    print(f"{case.system}, {weights}, {'recomputing' if case.checkpointing else 'keeping'} activations", file=sys.stderr)
    stopwatch = Stopwatch(case.seconds, device)
    with tempfile.TemporaryDirectory() as folder:
        try:
            gpu_systems.SYSTEMS[case.system](case, gpu_model.source(Path(folder), device, case), Path(folder), stopwatch)
        except torch.OutOfMemoryError:
            return Result(case.system, weights, case.checkpointing, failed="out of memory")
        finally:
            torch.cuda.empty_cache()
    return Result(case.system, weights, case.checkpointing, stopwatch.rate * gpu_systems.BATCH, stopwatch.peak)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _ratio(value: float | None, own: float | None) -> str:
    return "–" if value is None or own is None else f"{value / own:.2f} ×"


if __name__ == "__main__":
    main()
