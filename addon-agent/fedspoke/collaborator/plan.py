"""Which posts each step of a round sees, and from which seed its chance comes: the same wherever and whenever it is asked.

A step knows its seed without those before it, so that a round goes on in its middle as if it had never stopped.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import islice

import torch

from fedspoke.api.training import Training
from fedspoke.collaborator.batches import Example, epochs, in_batches


def steps(examples: Sequence[Example], training: Training) -> int:
    """How many a round has; the last step of an epoch may have fewer batches."""
    batches = len(in_batches(examples, training.batch_size))
    return training.steps or (training.epochs or 1) * math.ceil(batches / training.gradient_accumulation)


def batches(examples: Sequence[Example], training: Training, round: int) -> Iterator[list[list[Example]]]:  # noqa: A002
    """The batches of each step of a round, in order."""
    return islice(_endless(examples, training, round), steps(examples, training))


def seed(*numbers: int) -> int:
    """For (seed, round) the order of the posts, for (seed, round, step) what dropout drops in that step."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:8], "big") >> 1


def _endless(examples: Sequence[Example], training: Training, round: int) -> Iterator[list[list[Example]]]:  # noqa: A002
    size = training.gradient_accumulation
    generator = torch.Generator().manual_seed(seed(training.seed, round))
    for epoch in epochs(examples, training.batch_size, generator):
        for start in range(0, len(epoch), size):
            yield epoch[start : start + size]
