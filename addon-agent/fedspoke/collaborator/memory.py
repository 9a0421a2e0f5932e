"""How a device's memory is made to suffice: the same work in smaller parts, and one sentence where there are none.

What does not fit is first tried with gradient checkpointing (arXiv 1604.06174: slower by a third, with the activations of one
layer at a time), then with half as many posts a forward pass, down to one. What a step computes stays the same, up to rounding
and to which values dropout drops.
"""

import errno
import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import psutil
import torch

from fedspoke.api.errors import Final

T = TypeVar("T")

_log = logging.getLogger(__name__)

_SAID = ("can't allocate memory", "not enough memory", "out of memory", "_STATUS_ALLOC_FAILED")
"""What RuntimeErrors of torch and CUDA say where memory is lacking and there is no class of its own for it."""


class Memory:
    """What has been found to fit; it is remembered for all that follows.

    Attributes:
        posts: Of a forward pass, at most; or photos.
        checkpointing: Whether the model computes activations twice rather than keep them.
    """

    def __init__(self, posts: int, purpose: str, checkpoint: Callable[[], None] | None = None) -> None:
        """`purpose` is what they are for; `checkpoint` turns gradient checkpointing on, if there are gradients."""
        self.posts = posts
        self.checkpointing = False
        self._purpose = purpose
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
                if not lacking(error):
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
            _log.warning("the memory does not suffice %s: goes on with gradient checkpointing", self._purpose)
        elif self.posts > 1:
            self.posts //= 2
            _log.warning("the memory does not suffice %s: goes on with %d at a time", self._purpose, self.posts)
        else:
            raise _short(f"{self._purpose}, one at a time")


@contextmanager
def enough(purpose: str) -> Iterator[None]:
    """Work without smaller parts: where memory is lacking for it, a sentence says so.

    Raises:
        Final: it is.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not lacking(error):
            raise
        _log.warning("out of memory: %s", error)
        raise _short(purpose) from None


def lacking(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)
    )


def parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """A batch in forward passes."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _short(purpose: str) -> Final:
    if torch.cuda.is_available():
        device, (free, total) = torch.cuda.get_device_name(), torch.cuda.mem_get_info()
    else:
        device, free, total = "this machine", psutil.virtual_memory().available, psutil.virtual_memory().total
    there_is = f"{device} has {total / 2**30:.1f} GiB, {free / 2**30:.1f} of them free"
    return Final(
        f"the memory does not suffice {purpose}: {there_is}; what helps is training.quantization nf4, a lower "
        "training.maxLength, training.images or training.lora.rank, or a device with more memory"
    )
