"""Photos as the model's own vision tower sees them: frozen, so that profiles of different rounds and clusters compare.

LoRA never touches it (nor does quantisation), unlike the language model, whose view of a photo drifts with every round.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fedspoke.collaborator.memory import Memory, parts
from fedspoke.collaborator.photos import pixels
from fedspoke.collaborator.wanted import StillWanted, always
from fedspoke.data.sealed import PLAIN, Store

_ARCHITECTURE = ("image_size", "patch_size", "num_attention_heads", "hidden_act", "layer_norm_eps")  # what weights do not show
_BATCH = 32  # photos, which a tower on a GPU sees at once
_PIXELS = ("size", "crop_size", "do_center_crop", "resample", "image_mean", "image_std")


class Tower:
    """Photos in, unit vectors out: CLIP's pooled output, which is its class token after the last layer."""

    def __init__(self, image_processor: Any, tower: Any, still_wanted: StillWanted = always, store: Store = PLAIN) -> None:
        trained = [name for name, parameter in tower.named_parameters() if parameter.requires_grad or "lora_" in name]
        if trained:
            raise RuntimeError(f"the vision tower is to stay as it was loaded, but {trained[0]} is trained")
        self._processor, self._tower, self._store = image_processor, tower, store
        self._still_wanted = still_wanted
        self._memory = Memory(_BATCH, "to see photos")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of weights, architecture and preparation of pixels; vectors of towers with other digests cannot be compared.

        Weights count as bf16, which they are on a GPU: so a cluster without one has the same digest.
        """
        told = {key: getattr(self._tower.config, key, None) for key in _ARCHITECTURE}
        told |= {key: getattr(self._processor, key, None) for key in _PIXELS} | {"padded": True}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=dict).encode())
        for name, weights in sorted(self._tower.named_parameters()):
            digest.update(f"{name} {tuple(weights.shape)}".encode())
            digest.update(weights.detach().to(torch.bfloat16).cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    def __call__(self, posts: Sequence[Sequence[Path]]) -> NDArray[np.float32]:
        """One vector a post: the direction of the mean over its photos, or zeros where it has none. (posts, width).

        Raises:
            Failed: a photo cannot be read.
            Final: one does not fit in memory.
        """
        photos = [(row, photo) for row, of in enumerate(posts) for photo in of]
        vectors = np.zeros((len(posts), self._tower.config.hidden_size), np.float32)
        for batch in parts(photos, _BATCH):
            seen = self._memory.fit(partial(self._see, [photo for _, photo in batch]))
            np.add.at(vectors, [row for row, _ in batch], seen)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions: NDArray[np.float32] = np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return directions

    @torch.inference_mode()
    def _see(self, photos: Sequence[Path], at_once: int) -> NDArray[np.float32]:
        weights = next(self._tower.parameters())
        seen: list[NDArray[np.float32]] = []
        for part in parts(photos, at_once):
            self._still_wanted()
            pooled = self._tower(self._pixels(part).to(weights.device, weights.dtype)).pooler_output
            seen.append(torch.nn.functional.normalize(pooled.float(), dim=-1).cpu().numpy())
        return np.concatenate(seen)

    def _pixels(self, photos: Sequence[Path]) -> torch.Tensor:
        return pixels([(photo, photo.stem) for photo in photos], self._processor, self._store)
