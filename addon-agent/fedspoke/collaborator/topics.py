"""How many posts are about which topic: each counts for the nearest one of a fixed public list, or for "other" if none is near.

This is the zero-shot step of BERTopic (arXiv 2203.05794) without the rest of it: what BERTopic does next, and what LDA or NMF of
scikit-learn do from the start, names topics by words of the posts. Such names would leave the cluster, and clusters could not be
compared. Of 56 short posts that we wrote (tests/unit/collaborator/test_topics.py), three of four get the topic that we meant.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fedspoke.api.topics import NAMES, OTHER, TOPICS
from fedspoke.collaborator.encoder import TextEncoder

_NEAR = 0.25
"""Cosine, of MiniLM: below it lie texts without a topic ("What a day"), and most in languages that the encoder does not know."""


def count(vectors: NDArray[np.float32], encoder: TextEncoder, named: Sequence[str | None] = ()) -> dict[str, int]:
    """The number of posts by topic, all topics included; each post counts once.

    Args:
        vectors: (posts, width), of length 1, by this encoder.
        encoder: what reads the topics' descriptions.
        named: for each post the topic that somebody has named, or None where the encoder is to find it; nobody has, if empty.
    """
    described = [encoder(phrases).mean(axis=0) for phrases in TOPICS.values()]
    topics = np.array([mean / np.linalg.norm(mean) for mean in described])
    cosines = vectors @ topics.T
    nearest = np.where(cosines.max(axis=1) >= _NEAR, cosines.argmax(axis=1), NAMES.index(OTHER))
    for post, name in enumerate(named):
        if name is not None:
            nearest[post] = NAMES.index(name)
    return dict(zip(NAMES, np.bincount(nearest, minlength=len(NAMES)).tolist(), strict=True))
