"""The text encoder of profiles: a small frozen transformer (MiniLM), so that profiles of different rounds and clusters compare.

LLaVA's own hidden states would drift with every round's adapter.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from fedspoke.api.errors import Refused
from fedspoke.collaborator.memory import lacking
from fedspoke.collaborator.wanted import StillWanted, always

_FILES = ["config.json", "*.safetensors", "tokenizer*", "special_tokens_map.json", "vocab.txt"]
_MAX_TOKENS = 256  # what MiniLM was trained on; its tokenizer would let 512 pass
_BATCH = 32


class TextEncoder:
    """Texts in, unit vectors out: the mean of the last layer over the tokens, scaled to length 1.

    Attributes:
        digest: SHA-256 of the weights; vectors of encoders with other digests cannot be compared.
    """

    def __init__(self, name: str, still_wanted: StillWanted = always) -> None:
        """Load an encoder from a folder, or by its name on a model hub when no such folder exists.

        Raises:
            Refused: there is no encoder of that name, or it is something else.
        """
        self._still_wanted = still_wanted
        folder = Path(name) if Path(name).is_dir() else _fetch(name)
        weights = sorted(folder.glob("*.safetensors"))
        if not weights:
            raise Refused(f"profiles.encoder is {name}, which holds no *.safetensors file; name a folder with a text encoder")
        self.digest = _digest(weights)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        except (OSError, ValueError, KeyError) as error:
            if lacking(error):
                raise
            raise Refused(
                f"profiles.encoder is {name}, which cannot be loaded as a text encoder ({type(error).__name__}); "
                "name one like sentence-transformers/all-MiniLM-L6-v2"
            ) from error

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector a text: (texts, width)."""
        batches = [self._encode(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(batches) if batches else np.zeros((0, self._model.config.hidden_size), np.float32)

    @torch.inference_mode()
    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._still_wanted()
        tokens = self._tokenizer(list(texts), padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
        mask = tokens["attention_mask"][..., None]
        mean = (self._model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return vectors


def _fetch(name: str) -> Path:
    """The folder of a named encoder, downloaded unless this machine has it."""
    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except (OSError, ValueError) as error:  # not on the hub, no network, offline mode; ValueError: not even a name
        raise Refused(
            f"profiles.encoder is {name}, neither a folder nor a name that this machine can fetch ({type(error).__name__})"
        ) from error


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()
