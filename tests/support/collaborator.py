"""One collaborator's settings and data: a tiny model, the encoder that a package carries, and short exports."""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings, Tensor
from fedspoke.api.training import Profiles, Training
from support import adapters
from support.exports import FACEBOOK_POSTS, INSTAGRAM_POSTS, facebook_post, instagram_post, write
from support.text_encoder import minilm
from support.tiny import tiny_llava

_NOUNS = "harbour violin snow bakery tram garden storm library candle bridge orchard kettle mountain letter pigeon ladder river"


def settings(
    folder: Path, datasets: Mapping[Platform, Path], *, min_posts: int = 3, mcp_port: int = 1, key: Path | None = None
) -> CollaboratorSettings:
    training = {"model": {"name": str(tiny_llava())}, "batchSize": 2, "gradientAccumulation": 1, "learningRate": 5e-3}
    return CollaboratorSettings(
        run="social.posts",
        cluster="cluster1",
        datasets={platform: str(path) for platform, path in datasets.items()},
        output=str(folder / "output"),
        training=Training.model_validate(training),
        rounds=3,
        profiles=Profiles(encoder=str(minilm()), min_posts=min_posts),
        gateway="127.0.0.1:1",
        mcp_port=mcp_port,
        mcp_token=str(folder / "output" / "mcp-token"),
        supernode_port=1,
        key=key and str(key),
    )


def facebook(folder: Path, posts: int) -> Path:
    """An export in which every other post has a photo; one post a day."""
    photos = [f"your_facebook_activity/posts/media/{number}.jpg" for number in range(1, posts, 2)]
    listed = [
        facebook_post(f"A walk, day {n}: {_words(n)}", *(photos[n // 2 :][:1] if n % 2 else ()), at=86_400 * (n + 1))
        for n in range(posts)
    ]
    return write(folder, {FACEBOOK_POSTS: listed}, photos)


def instagram(folder: Path, posts: int) -> Path:
    """An export in which every post has a photo."""
    photos = [f"media/posts/{number}.jpg" for number in range(posts)]
    return write(
        folder,
        {INSTAGRAM_POSTS: [instagram_post(f"My cat, picture {n}: {_words(n)}", photo) for n, photo in enumerate(photos)]},
        photos,
    )


def _words(seed: int) -> str:
    """Others for each post, or all but the first would be left out as repeating it."""
    return " ".join(random.Random(seed).sample(_NOUNS.split(), 8))


def starting_point(settings: CollaboratorSettings, layout: Iterable[Tensor]) -> Path:
    """The adapter of a first round: A random, B 0, so that the model is still the base model."""
    path = Path(settings.output) / "rounds" / "global.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = adapters.drawn(tuple(layout), seed=0)
    return adapters.save({name: np.zeros_like(v) if "lora_B" in name else v * np.float16(0.1) for name, v in drawn.items()}, path)
