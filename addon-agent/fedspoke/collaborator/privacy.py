"""What leaves a cluster in place of its trained adapter: the update clipped, then noised (the Gaussian mechanism, as DP-FedAvg
has it: arXiv 1710.06963). The unit of privacy is the cluster: all of its posts together.

Of an adapter's update (what training changed, over all tensors that are uploaded) the L2 norm is at most `clip`; each number then
gets noise of standard deviation `noiseMultiplier` · `clip`.
"""

import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import RootModel, ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Refused
from fedspoke.api.records import Count
from fedspoke.api.training import AdapterPrivacy

Tensors = Mapping[str, torch.Tensor]
Draw = Callable[[int], NDArray[np.float64]]
"""So many numbers of the standard normal distribution."""


def normal(count: int) -> NDArray[np.float64]:
    """From the operating system's randomness, by Box and Muller: what a seeded generator drew could be taken off again."""
    pairs = (count + 1) // 2
    uniform = (np.frombuffer(os.urandom(16 * pairs), np.uint64) >> np.uint64(11)).astype(np.float64) * 2.0**-53  # in [0, 1)
    radius, angle = np.sqrt(-2 * np.log1p(-uniform[:pairs])), 2 * math.pi * uniform[pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]


def hidden(start: Tensors, trained: Tensors, privacy: AdapterPrivacy, draw: Draw) -> dict[str, torch.Tensor]:
    """The adapter that leaves: `start` plus the clipped and noised update. Of the trained tensors' names, in fp64."""
    updates = {
        name: value.detach().to("cpu", torch.float64) - start[name].to("cpu", torch.float64) for name, value in trained.items()
    }
    norm = math.sqrt(sum(float(update.square().sum()) for update in updates.values()))
    scale = min(1.0, privacy.clip / norm) if norm else 1.0
    sigma = privacy.noise_multiplier * privacy.clip
    return {
        name: start[name].to("cpu", torch.float64)
        + update * scale
        + sigma * torch.from_numpy(draw(update.numel())).view_as(update)
        for name, update in updates.items()
    }


class _Releases(RootModel[dict[str, Count]]):
    """By federation."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """releases.json: how often noise was drawn for a federation; the spent privacy grows with each."""

    file: Path
    run: str

    @property
    def _name(self) -> Path:
        """Beside it."""
        return self.file.with_suffix(".id")

    def count(self) -> int:
        """So far.

        Raises:
            Refused: the file cannot be read; to begin at 0 again would hide what was spent.
        """
        return self._read().get(self.run, 0)

    def identity(self) -> str:
        """Which ledger this is: another one than that which was lost with its pod; empty as long as nothing is in it."""
        return self._name.read_text() if self._name.exists() else ""

    def add(self) -> None:
        """One more. Written before its noise is drawn: what a crash leaves uncertain counts as spent."""
        releases = self._read()
        if not (self.file.exists() and self._name.exists()):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            files.replace(self._name, secrets.token_hex(8).encode())
        releases[self.run] = releases.get(self.run, 0) + 1
        files.replace(self.file, _Releases(releases).model_dump_json(indent=1).encode())

    def _read(self) -> dict[str, int]:
        try:
            return _Releases.model_validate_json(self.file.read_bytes()).root
        except FileNotFoundError:
            return {}
        except ValidationError as error:
            raise Refused(
                f"{self.file.name} is not what fedspoke wrote; bring it back, as it counts what privacy was spent"
            ) from error


@dataclass(frozen=True, slots=True)
class Gaussian:
    """`privacy.adapters` of mechanism gaussian, on one cluster."""

    privacy: AdapterPrivacy
    ledger: Ledger
    draw: Draw = normal

    def __call__(self, start: Tensors, trained: Tensors) -> dict[str, torch.Tensor]:
        """A release: another one for each call."""
        self.ledger.add()
        return hidden(start, trained, self.privacy, self.draw)
