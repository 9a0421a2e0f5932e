"""What the GPU's benchmark measures and has found so far: a case, its row, and the two files that hold the rows."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fedspoke.api import files
from fedspoke.collaborator.quantization import Quantization

BATCH = 4
_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table, before it is measured."""

    system: str
    quantization: Quantization
    checkpointing: bool
    seconds: float
    tiny: bool = False
    """With the tiny model on the CPU."""

    @property
    def weights(self) -> str:
        return "bf16" if self.quantization == "none" else self.quantization

    def __str__(self) -> str:
        return f"{self.system}, {self.weights}, {'recomputing' if self.checkpointing else 'keeping'} activations"


@dataclass(frozen=True, slots=True)
class Result:
    """What a case took: posts per second and peak memory in GiB, weights included; or why it did not run.

    Attributes:
        adapter: The dtype in which its weights were trained, looked up after the last step.
    """

    system: str
    weights: str
    checkpointing: bool
    adapter: str | None = None
    posts_per_second: float | None = None
    peak: float | None = None
    failed: str | None = None
    device: str | None = None


_UNKNOWN = Result("", "", checkpointing=False)


def write(out: Path, results: Sequence[Result], *, tiny: bool) -> str:
    """All that is known by now, as JSON in `out` and as Markdown beside it; returns the latter."""
    device = next((result.device for result in results if result.device), None)
    model = "tiny" if tiny else "LLaVA 1.5 7B, random weights"
    packages = {name: found for name in _PACKAGES if (found := _version(name))}
    with_versions = ", ".join(f"{name} {found}" for name, found in packages.items())
    settings = f"LoRA rank 16, batches of {BATCH}, AdamW at a constant rate"
    title = f"{model} on {device or 'a device not known yet'}, {settings}; {with_versions}"
    text = "\n".join([title, "", *table(results), ""])
    report = {
        "device": device,
        "model": model,
        "packages": packages,
        "batch": BATCH,
        "results": [asdict(result) for result in results],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    files.replace(out, json.dumps(report, indent=1).encode())
    files.replace(out.with_suffix(".md"), text.encode())
    return text


def table(results: Sequence[Result]) -> list[str]:
    """Markdown, with what the others take in multiples of ours."""
    ours = {(result.weights, result.checkpointing): result for result in results if result.system == "fedspoke"}
    lines = [
        "| weights | recomputing | system | adapter | posts/s | of ours | peak GiB | of ours |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in sorted(results, key=lambda result: (result.weights, result.checkpointing)):
        own = ours.get((result.weights, result.checkpointing), _UNKNOWN)
        speed = result.failed.replace("|", "/") if result.failed else _shown(result.posts_per_second)
        lines.append(
            f"| {result.weights} | {'yes' if result.checkpointing else 'no'} | {result.system} "
            f"| {result.adapter or '–'} | {speed} | {_ratio(result.posts_per_second, own.posts_per_second)} "
            f"| {_shown(result.peak)} | {_ratio(result.peak, own.peak)} |"
        )
    return lines


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _ratio(value: float | None, own: float | None) -> str:
    return "–" if value is None or own is None else f"{value / own:.2f} ×"
