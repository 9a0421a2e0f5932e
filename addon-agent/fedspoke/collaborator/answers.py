"""What mcp-server's tools answer. Light, so that a client that imports no torch can check what it gets."""

from typing import Annotated

from pydantic import Field

from fedspoke.api.names import DOMAIN, Platform
from fedspoke.api.profiles import Profile
from fedspoke.api.records import Count, HeldOut, Record, Tensor

Counts = Annotated[dict[Annotated[str, Field(max_length=63)], Count], Field(max_length=63)]
"""By reason or rule, whose names are ours: nothing of a post."""


PASSING = f"{DOMAIN}/passing"
"""In the `_meta` of a tool's error, true: called again, it may succeed, with nothing changed by a person."""

MOST_LISTED = 50
"""Records on one page of list_posts."""


class ModelReady(Record):
    """download_model: the model is loaded."""

    layout: tuple[Tensor, ...] = Field(description="The tensors of the adapter that it takes.")


class DataFetched(Record):
    """fetch_data: one platform's export was read."""

    posts: int
    skipped: Counts = Field(description="What of the export is not among the posts, by reason.")


class DataCleaned(Record):
    """clean_data: there are records to train on."""

    records: dict[Platform, int]
    dropped: dict[Platform, Counts] = Field(description="What of the export is not among the records, by reason or rule.")
    changed: dict[Platform, Counts] = Field({}, description="How many records' texts were changed, by rule.")


class Post(Record):
    """One record, as the crew is shown it."""

    id: str
    text: str


class PostsListed(Record):
    """list_posts: one page of a platform's records."""

    posts: tuple[Post, ...]
    total: int = Field(description="Of all pages, those that are set aside among them.")


class PostsSetAside(Record):
    """set_aside: these are neither trained on, nor measured with, nor in a profile."""

    left: int = Field(description="Records of the platform that are not set aside.")


class TopicNamed(Record):
    """name_topic: these count for the topic in the profile."""

    named: int


class LlavaTrained(Record):
    """train_llava: this cluster's adapter of the round is written."""

    examples: int = Field(description="The posts trained on: this adapter's weight in the mean.")
    loss: float = Field(description="Mean training loss of the round.")
    seconds: float
    held_out: HeldOut | None = Field(None, description="Of the adapter that the round started from, and of the written one.")
    releases: int = Field(0, description="Noised adapters of this federation, this one included.")
    ledger: str = Field("", description="In which they are counted; another one begins at 0.")


class Evaluated(Record):
    """evaluate: the final adapter beside the base model."""

    held_out: HeldOut | None = Field(None, description="None where no post is held out.")


class ProfileMade(Record):
    """generate_profile: the profile, or in one sentence why there is none."""

    profile: Profile | None = None
    refused: str | None = None
