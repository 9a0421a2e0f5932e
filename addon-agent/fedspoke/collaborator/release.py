"""What left the cluster of a platform's posts, all of it kept: so a repeated step shares the same again, and what several
different releases spend together is known.

Noise drawn anew would be a second release of the same posts, and the mean of many releases is the embedding without noise. Posts
that changed, or other settings, do make another release; one post may be in all of them, hence their mu² add up. A release
is in the ledger before it is shared: a crash between the two counts one too many, never one too few.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Refused
from fedspoke.api.noise import composed, epsilon, sigma
from fedspoke.api.profile_noise import noise
from fedspoke.api.profiles import Noise, Visual
from fedspoke.api.records import Record, cause
from fedspoke.api.training import Profiles
from fedspoke.collaborator import topics
from fedspoke.collaborator.encoder import TextEncoder
from fedspoke.collaborator.profiles import noised_counts, noised_mean, photos
from fedspoke.collaborator.visual import Tower
from fedspoke.data.records import CleanRecord


class Release(Record):
    """What was shared, and of what: `key` is a digest of the posts, what read them and the asked privacy."""

    key: str
    embedding: tuple[float, ...]
    visual: Visual | None
    topics: dict[str, int] | None
    noise: Noise | None


class Ledger(Record):
    """All releases of one platform's posts in one federation, by age. It stays on the spoke."""

    releases: tuple[Release, ...] = ()


def once(
    file: Path,
    posts: Sequence[CleanRecord],
    folder: Path,
    encoder: TextEncoder,
    tower: Tower | None,
    spec: Profiles,
    named: Mapping[str, str] = MappingProxyType({}),
) -> Release:
    """The release of these posts that the ledger in the file has; else a new one, which is added to it first.

    Args:
        file: The ledger, which this makes if it is not there.
        posts: At least one.
        folder: Where the posts' photos are.
        encoder: Reads their texts.
        tower: Sees their photos; None: the release has no visual embedding.
        spec: How much privacy is asked for, and whether topics are.
        named: By a post's id the topic that a crew has named; the encoder finds those of the others.

    Returns:
        The release; its noise says what all releases of the ledger spend together.

    Raises:
        Refused: the file is no ledger, so that nobody could say what was spent.
        Failed: a photo cannot be read.
    """
    ledger = _read(file)
    key = _key(posts, encoder, tower, spec, named)
    found = next((release for release in ledger.releases if release.key == key), None)
    if found is None:
        found = _make(key, posts, folder, encoder, tower, spec, named)
        ledger = Ledger(releases=(*ledger.releases, found))
        _write(file, ledger)
    if found.noise is None:
        return found
    told = {"releases": len(ledger.releases), "spent_epsilon": _spent(ledger, found.noise)}
    return found.model_copy(update={"noise": found.noise.model_copy(update=told)})


def _key(
    posts: Sequence[CleanRecord], encoder: TextEncoder, tower: Tower | None, spec: Profiles, named: Mapping[str, str]
) -> str:
    asked = (encoder.digest, tower and tower.digest, spec.topics, spec.epsilon, spec.delta)
    of = sorted((post.text, photos(post) if tower else ()) for post in posts)
    topics_of = [sorted((post.text, named.get(post.id, "")) for post in posts)] if spec.topics and named else []
    return hashlib.sha256(repr((asked, of, *topics_of)).encode()).hexdigest()


def _make(
    key: str,
    posts: Sequence[CleanRecord],
    folder: Path,
    encoder: TextEncoder,
    tower: Tower | None,
    spec: Profiles,
    named: Mapping[str, str],
) -> Release:
    draw, asked = random.SystemRandom(), noise(spec, len(posts), visual=tower is not None)
    vectors = encoder([post.text for post in posts])
    visual = None
    if tower:
        seen = tower([[folder / photo for photo in photos(post)] for post in posts])
        visual = Visual(tower=tower.digest, embedding=noised_mean(seen, (asked and asked.visual_sigma) or 0, draw))
    counted = topics.count(vectors, encoder, [named.get(post.id) for post in posts]) if spec.topics else None
    return Release(
        key=key,
        embedding=noised_mean(vectors, asked.sigma if asked else 0, draw),
        visual=visual,
        topics=counted and noised_counts(counted, (asked and asked.topics_sigma) or 0, draw),
        noise=asked,
    )


def _spent(ledger: Ledger, current: Noise) -> float | None:
    """The epsilon of all releases together; None when one of them had no noise. A single one spends what was asked."""
    mus = []
    for release in ledger.releases:
        if release.noise is None:
            return None
        mus.append(1 / sigma(release.noise.epsilon, release.noise.delta, 1))
    return current.epsilon if len(mus) == 1 else max(current.epsilon, epsilon(current.delta, composed(mus)))


def _read(file: Path) -> Ledger:
    try:
        return Ledger.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Ledger()
    except ValidationError as error:
        raise Refused(
            f"{file} is no ledger of profiles ({cause(error)}); restore it, as it alone tells what earlier releases have spent"
        ) from None


def _write(file: Path, ledger: Ledger) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    files.replace(file, ledger.model_dump_json(by_alias=True).encode())
