"""Where a federation's global model is kept."""

from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.base import Api, Rule
from fedspoke.api.units import Quantity


class S3(Api):
    """An S3 bucket that receives the model."""

    bucket_name: Annotated[str, Field(min_length=1)] = Field(description="Name of an existing bucket.")
    region: str | None = Field(None, description="The bucket's AWS region.")
    prefix: str | None = Field(None, description="Folder inside the bucket; its root if not given.")


class Storage(Api):
    """Where the global model is kept."""

    name: str | None = Field(
        None,
        description="Name of the PersistentVolumeClaim that is used; where there is none, one is made that outlives the "
        "federation. Without a name, one is made that goes with it.",
    )
    type: Literal["PersistentVolumeClaim", "HostPath", "S3Bucket"] = Field(
        "PersistentVolumeClaim", description="What kind of storage it is."
    )
    size: Quantity | None = Field(None, description="Size of a claim that is made.")
    path: Annotated[str, Field(max_length=1024)] | None = Field(
        None, description="Folder of this federation inside the storage; the whole of it if not given."
    )
    s3: S3 | None = Field(None, description="The bucket, for type S3Bucket.")

    rules = (
        Rule(
            field="s3",
            message="must be given when type is S3Bucket",
            cel="self.type != 'S3Bucket' || has(self.s3)",
            holds=lambda it: it.type != "S3Bucket" or it.s3 is not None,
        ),
        Rule(
            field="path",
            message="must be an absolute path on the node when type is HostPath",
            cel="self.type != 'HostPath' || (has(self.path) && self.path.startsWith('/'))",
            holds=lambda it: it.type != "HostPath" or (it.path or "").startswith("/"),
        ),
        Rule(
            field="path",
            message="must stay inside the claim, without `..`, when type is PersistentVolumeClaim",
            cel="self.type != 'PersistentVolumeClaim' || !has(self.path) || !('..' in self.path.split('/'))",
            holds=lambda it: it.type != "PersistentVolumeClaim" or ".." not in (it.path or "").split("/"),
        ),
    )

    @property
    def folder(self) -> str:
        """`path` as it is below the storage's root: `social/2026`; empty for the root itself."""
        return "/".join(part for part in (self.path or "").split("/") if part not in ("", "."))
