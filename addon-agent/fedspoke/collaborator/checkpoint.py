"""A round's training in its middle, on disk: whoever goes on from there ends in the bytes of a training that nobody disturbed.

One file, replaced as a whole: the adapter in fp32, AdamW's two moments, and as its metadata the step and which training it is.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from fedspoke.api.records import Record
from fedspoke.collaborator.descent import MOMENTS, Descent
from fedspoke.data.sealed import PLAIN, DamagedError, Store


class State(Record):
    """Where a training is.

    Attributes:
        key: Which training it is; that of another round, adapter, data set or setting is of no use.
        step: Of the round, done.
        loss: Sum over all supervised tokens so far.
        tokens: Supervised, so far.
        seconds: Spent so far.
        posts: Of a forward pass, as far as memory sufficed.
        checkpointing: Whether gradients were checkpointed.
    """

    key: str
    step: int = 0
    loss: float = 0
    tokens: int = 0
    seconds: float = 0
    posts: int = 0
    checkpointing: bool = False


class Checkpoints:
    """The one file, written every so often."""

    def __init__(self, file: Path, every: float, clock: Callable[[], float] = time.monotonic, store: Store = PLAIN) -> None:
        """`every` so many seconds; each takes three adapters in fp32, in memory once more while it is written."""
        self._file = file
        self._store = store
        self._every = every
        self._clock = clock
        self._last = clock()

    def due(self) -> bool:
        """Whether it is time for another one."""
        return self._clock() - self._last >= self._every

    def save(self, state: State, descent: Descent) -> None:
        """Replace the checkpoint."""
        tensors = {name: value.detach() for name, value in descent.parameters.items()}
        for name, value in descent.parameters.items():
            tensors |= {f"{moment}.{name}": descent.optimizer.state[value][moment] for moment in MOMENTS}
        self._store.replace(self._file, safetensors.torch.save(tensors, {"state": state.model_dump_json()}))
        self._last = self._clock()

    def restore(self, key: str, descent: Descent) -> State | None:
        """Give the adapter and its optimiser what they had; None where there is no checkpoint of this training."""
        self._last = self._clock()
        try:
            content = self._store.read(self._file)
            state = _state(content)
            if state.key != key:
                return None
            tensors = safetensors.torch.load(content)
        except (OSError, SafetensorError, ValueError, KeyError, DamagedError):  # none, or damaged, or of another version
            return None
        with torch.no_grad():
            for name, value in descent.parameters.items():
                value.copy_(tensors[name])
                kept = descent.optimizer.state[value]
                kept["step"].fill_(state.step)
                for moment in MOMENTS:
                    kept[moment].copy_(tensors[f"{moment}.{name}"])
        return state

    def remove(self) -> None:
        """Once its training is done."""
        self._file.unlink(missing_ok=True)


def _state(content: bytes) -> State:
    """In safetensors' header: its length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    return State.model_validate_json(json.loads(content[8 : 8 + length])["__metadata__"]["state"])
