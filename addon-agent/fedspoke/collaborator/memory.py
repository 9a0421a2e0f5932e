"""How a device's memory is made to suffice: the same work in smaller parts.

What does not fit is first tried with gradient checkpointing (arXiv 1604.06174: slower by a third, with the activations of one
layer at a time), then with half as many posts a forward pass, down to one. What a step computes stays the same, up to rounding
and to which values dropout drops.
"""

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from fedspoke.api.errors import Final
from fedspoke.collaborator.batches import Example

T = TypeVar("T")

_log = logging.getLogger(__name__)

_SAID = ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch's RuntimeErrors say where memory is lacking and there is no class of its own for it."""


class Memory:
    """What has been found to fit; it is remembered for all that follows.

    Attributes:
        posts: Of a forward pass, at most.
        checkpointing: Whether the model computes activations twice rather than keep them.
    """

    def __init__(self, posts: int, checkpoint: Callable[[], None] | None = None) -> None:
        """`checkpoint` turns gradient checkpointing on; None where there are no gradients."""
        self.posts = posts
        self.checkpointing = False
        self._checkpoint = checkpoint

    def fit(self, work: Callable[[int], T]) -> T:
        """Call the work with the number of posts of a forward pass, again with less until it fits.

        Raises:
            Final: one post is too much.
        """
        while True:
            try:
                return work(self.posts)
            except (RuntimeError, MemoryError) as error:
                if not _lacks_memory(error):
                    raise
            # Only here, where the error and with it the frames that hold the tensors are gone.
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._lower()

    def at_most(self, posts: int, *, checkpointing: bool) -> None:
        """Begin where an interrupted training had come to."""
        self.posts = min(self.posts, posts)
        if checkpointing and not self.checkpointing and self._checkpoint:
            self._checkpoint()
            self.checkpointing = True

    def _lower(self) -> None:
        if self._checkpoint and not self.checkpointing:
            self.at_most(self.posts, checkpointing=True)
            _log.warning("out of memory: goes on with gradient checkpointing")
        elif self.posts > 1:
            self.posts //= 2
            _log.warning("out of memory: goes on with %d posts a forward pass", self.posts)
        else:
            raise Final(
                "the memory does not suffice for one post at a time; lower training.maxLength, training.images or "
                "training.lora.rank, or set training.quantization to nf4"
            )


def parts(examples: Sequence[Example], posts: int) -> list[Sequence[Example]]:
    """A batch in forward passes."""
    return [examples[start : start + posts] for start in range(0, len(examples), posts)]


def _lacks_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(said in str(error) for said in _SAID)
