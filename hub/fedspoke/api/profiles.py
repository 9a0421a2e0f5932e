"""A profile, which says of one platform's posts on one cluster what may be shared of them, and the general one of all of them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.names import Platform
from fedspoke.api.records import Count, Digest, Record

Noised = Annotated[int, Field(ge=-(10**9), le=10**9)]
"""A count with noise in it."""


class Noise(Record):
    """The Gaussian mechanism that all parts of a profile went through; what it hides is one cleaned record."""

    unit: Literal["one cleaned record"] = Field(
        "one cleaned record",
        description="Two sets of cleaned records that differ in one are hard to tell apart. Their number, the first and the last "
        "day, and whether as many as minPosts have a photo, are no secret.",
    )
    epsilon: float = Field(description="Of this release: of all parts of the profile together.")
    delta: float
    sigma: float = Field(description="Standard deviation of the noise on each number of the text embedding.")
    visual_sigma: float | None = Field(None, description="The same, of the visual embedding; None: there is none.")
    topics_sigma: float | None = Field(None, description="The same, of each topic's count; None: there are none.")
    releases: Count = Field(1, description="Of this platform's posts in this federation, this one included.")
    spent_epsilon: float | None = Field(description="Of all of them together, at this delta; None: one of them had no noise.")


class Visual(Record):
    """A platform's photos as the frozen vision tower sees them.

    `embedding` is the sum of the posts' unit-norm vectors, each the mean over its photos, divided by the number of all posts, so
    that it does not tell how many have a photo.
    """

    tower: Digest = Field(description="Digest of the tower's weights: embeddings of other towers cannot be compared.")
    embedding: tuple[float, ...]


class Profile(Record):
    """One platform's data on one cluster, as much of it as is shared.

    `embedding` is the mean of the posts' unit-norm text embeddings, noised as `noise` says (None: not at all), as are the two
    other parts. Not noised: the number of posts, the two dates.
    """

    cluster: str
    platform: Platform
    posts: int
    first: datetime | None
    last: datetime | None
    encoder: Digest = Field(description="Digest of the encoder's weights: embeddings of other encoders cannot be compared.")
    embedding: tuple[float, ...]
    visual: Visual | None = Field(None, description="None: not asked for, or fewer than minPosts posts have a photo.")
    topics: Annotated[dict[str, Noised], Field(max_length=100)] | None = Field(
        None, description="Number of posts by topic (fedspoke.api.topics), below 0 where noise has it so; None: not asked for."
    )
    noise: Noise | None


class ProfilePart(Record):
    """What one profile gave to the general one."""

    cluster: str
    platform: Platform
    posts: int
    weight: float
    noise: Noise | None


class GeneralVisual(Record):
    """The count-weighted mean of all visual embeddings, normalised to length 1."""

    embedding: tuple[float, ...]
    tower: Digest
    parts: tuple[str, ...] = Field(description="Profiles that are in it, as cluster/platform.")
    left_out: dict[str, str] = Field({}, description="Profiles that are not, and why.")


class TopicShares(Record):
    """How many of the posts are of which topic, as shares. Each is noised, so they need not add up to 1."""

    posts: int
    shares: dict[str, float]
    error: float = Field(description="Standard deviation of the noise in each share; 0: exact.")


class Topics(Record):
    """What all posts are about, and those of each platform."""

    total: TopicShares
    platforms: dict[Platform, TopicShares]


class Cosine(Record):
    """Similarity of two means, with the noise's part in it taken out again."""

    value: float
    error: float = Field(description="The standard error that the noise leaves.")


class Difference(Record):
    """A topic of which one platform has more than another, beyond noise and chance."""

    topic: str
    shares: tuple[float, float]
    error: float = Field(description="Standard error of the shares' difference, of noise and of sampling.")


class Comparison(Record):
    """Two platforms beside each other. What the noise hides is None, or is not listed."""

    platforms: tuple[Platform, Platform]
    text: Cosine | None = None
    visual: Cosine | None = None
    shared: tuple[str, ...] = Field((), description="Topics that both platforms have much of.")
    differs: tuple[Difference, ...] = Field((), description="The largest first.")


class GeneralProfile(Record):
    """The count-weighted mean of all profiles, normalised to length 1, with what it is made of."""

    run: str
    embedding: tuple[float, ...]
    encoder: Digest
    posts: int
    parts: tuple[ProfilePart, ...]
    cosines: tuple[tuple[float, ...], ...] = Field(description="Similarity of each pair of parts, in their order.")
    visual: GeneralVisual | None = Field(None, description="None: no part has a visual embedding.")
    topics: Topics | None = Field(None, description="None: no part counts topics.")
    comparisons: tuple[Comparison, ...] = Field((), description="Of each pair of platforms.")
    left_out: dict[str, str] = Field({}, description="Profiles of another encoder, as cluster/platform, and why.")
