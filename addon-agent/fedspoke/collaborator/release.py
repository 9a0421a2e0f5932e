"""An embedding as it left the cluster, kept, so that a repeated step shares the same one again.

Noise drawn anew would be a second release of the same posts, and the mean of many releases is the embedding without noise.
"""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from fedspoke.api import files
from fedspoke.api.records import Noise, Record
from fedspoke.api.training import Profiles
from fedspoke.collaborator.encoder import TextEncoder
from fedspoke.collaborator.profiles import summary


class Release(Record):
    """What was shared, and of what: `key` is a digest of the texts, the encoder and the asked privacy. It stays on the spoke."""

    key: str
    embedding: tuple[float, ...]
    noise: Noise | None


def once(file: Path, texts: Sequence[str], encoder: TextEncoder, spec: Profiles) -> Release:
    """The release in the file if it is of the same posts; else a new one, which is kept there."""
    key = hashlib.sha256(repr((encoder.digest, spec.epsilon, spec.delta, tuple(texts))).encode()).hexdigest()
    try:
        kept = Release.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):  # none yet, or of another version
        kept = None
    if kept is not None and kept.key == key:
        return kept
    embedding, noise = summary(encoder(texts), spec, random.SystemRandom())
    made = Release(key=key, embedding=embedding, noise=noise)
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace(file, made.model_dump_json(by_alias=True).encode())
    return made
