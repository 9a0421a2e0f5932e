"""What mcp-server's tools answer. Light, so that a client that imports no torch can check what it gets."""

from pydantic import Field

from fedspoke.api.names import Platform
from fedspoke.api.records import Profile, Record, Tensor


class ModelReady(Record):
    """download_model: the model is loaded."""

    layout: tuple[Tensor, ...] = Field(description="The tensors of the adapter that it takes.")


class DataFetched(Record):
    """fetch_data: one platform's export was read."""

    posts: int
    skipped: dict[str, int] = Field(description="What of the export is not among the posts, by reason.")


class DataCleaned(Record):
    """clean_data: there are records to train on."""

    records: dict[Platform, int]
    dropped: dict[Platform, dict[str, int]] = Field(description="What of the export is not among the records, by reason.")


class LlavaTrained(Record):
    """train_llava: this cluster's adapter of the round is written."""

    examples: int = Field(description="This cluster's posts: its adapter's weight in the mean.")
    loss: float = Field(description="Mean training loss of the round.")
    seconds: float


class ProfileMade(Record):
    """generate_profile: the profile, or in one sentence why there is none."""

    profile: Profile | None = None
    refused: str | None = None
