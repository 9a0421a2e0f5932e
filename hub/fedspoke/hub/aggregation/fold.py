"""Federated averaging of adapters (FedAvg, arXiv 1602.05629) as a running sum: each file is read once and forgotten.

A and B are averaged each for itself, weighted by the clusters' examples. Files are fp16, since numpy has no bf16 and rounding
to fp16 costs 2e-4; the sum is fp32, because fp16 arithmetic loses small clusters in it and is six times slower besides.
"""

from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

import numpy as np

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import Tensor
from fedspoke.hub.aggregation import tensor_file


class Fold:
    """Σ weight·adapter in fp32: the memory of one sum and a block, however many clusters there are."""

    def __init__(self, layout: Sequence[Tensor]) -> None:
        self._layout = tuple(layout)
        self._sums = {tensor.name: np.zeros(tensor_file.count(tensor), np.float32) for tensor in layout}
        self._total = 0

    def add(self, path: Path, weight: int) -> None:
        """Adds one cluster's adapter, verified before (`layout.verify`), as often as it has examples.

        Raises:
            Refused: the file is not of this layout, or cannot be opened; the sum is as it was.
            Failed: it broke off on the way, so that the sum holds a part of it and is of no more use.
        """
        if weight < 1:
            raise ValueError(f"a weight is a count of examples, not {weight}")
        factor = np.float32(weight)
        with _opened(path) as file:
            places = tensor_file.places(file, self._layout)
            try:
                for tensor in self._layout:
                    total = self._sums[tensor.name]
                    for span, values in tensor_file.blocks(file, places[tensor.name], total.size):
                        total[span] += np.multiply(values, factor, dtype=np.float32)
            except (OSError, Refused) as error:
                raise Failed(f"{path} could not be read to its end: {error}") from error
        self._total += weight

    def mean(self, path: Path) -> str:
        """Writes the weighted mean, fp16.

        Returns:
            SHA-256 of the file, in hex.
        """
        if not self._total:
            raise ValueError("no adapter was added, so there is no mean")
        total = np.float32(self._total)
        return tensor_file.write(
            path, self._layout, lambda tensor: (self._sums[tensor.name] / total).astype(tensor_file.FP16).reshape(tensor.shape)
        )


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise Refused(f"{path} cannot be opened: {error.strerror}") from error
