"""A folder in S3, or in a store that speaks like it: its files, what is known of their bytes, and these themselves.

Endpoint, region and keys come from the environment, as with every client of S3. What a node itself may do there is not asked for:
a collaborator has what its cluster's owner gives it, and no more.
"""

import base64
import binascii
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.exceptions import ConnectionError as Unconnected

from fedspoke.api.errors import Failed, Refused

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]+[a-z0-9])(?:/(?P<prefix>[^\x00-\x1f]*))?")
_OF_A_NODE = ("ec2-credentials-file", "container-role", "iam-role")
_CHUNK = 1 << 20
_ABSENT = ("NoSuchBucket", "NoSuchKey", "404")
_DENIED = (
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
)
_ELSEWHERE = ("301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect")


class UnreachableError(Failed):
    """Nobody answers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: `etag` is another one for other bytes."""

    name: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Checksum:
    """The SHA-256 of a file; of one that was uploaded in parts, that of its parts' own, where `part` is the size of each."""

    digest: bytes
    part: int | None = None


class Bucket:
    """One folder."""

    def __init__(self, url: str) -> None:
        """No network.

        Raises:
            Refused: it is no URL of a folder in S3, or the environment's is none of a store.
        """
        found = _URL.fullmatch(url)
        if not found:
            raise Refused(f"{url} is no folder in S3, which looks like s3://models/llava-1.5-7b-hf")
        self.url, self.name = url, found["bucket"]
        self.folder = (found["prefix"] or "").strip("/")
        self._prefix = f"{self.folder}/" if self.folder else ""
        try:
            self._s3 = _client()
        except ValueError:
            raise Refused("AWS_ENDPOINT_URL is no URL, which looks like https://s3.example.com") from None

    def entries(self) -> list[Entry]:
        """The files that lie in the folder itself.

        Raises:
            Refused: there is no such bucket, or it is not open to these keys.
            UnreachableError: nobody answers.
            Failed: anything else.
        """
        with self._in_sentences():
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self._prefix, Delimiter="/")
            found = [it for page in pages for it in page.get("Contents", ())]
        named = [Entry(it["Key"].removeprefix(self._prefix), it["Size"], it["ETag"]) for it in found]
        return [it for it in named if it.name]

    def checksum(self, entry: Entry) -> Checksum | None:
        """What S3 itself keeps of a file, if it is a SHA-256. Raises as `entries` does."""
        asked = {"Bucket": self.name, "Key": self._prefix + entry.name}
        with self._in_sentences():
            told = self._s3.head_object(**asked, IfMatch=entry.etag, ChecksumMode="ENABLED")
            digest = _decoded(told.get("ChecksumSHA256", ""))
            if digest is None:
                return None
            if not re.search(r"-\d+\"?$", entry.etag):  # an ETag ends so that is one of parts
                return Checksum(digest)
            first = self._s3.head_object(**asked, PartNumber=1)
        part, count = first["ContentLength"], first.get("PartsCount")
        # Of parts of unlike sizes nobody says where one ends.
        return Checksum(digest, part) if part and -(-entry.size // part) == count else None

    def read(self, entry: Entry, start: int = 0) -> Iterator[bytes]:
        """A file's bytes from one on. Raises as `entries` does."""
        asked: dict[str, Any] = {"Range": f"bytes={start}-"} if start else {}
        with self._in_sentences():
            told = self._s3.get_object(Bucket=self.name, Key=self._prefix + entry.name, IfMatch=entry.etag, **asked)
            with closing(told["Body"]) as body:
                yield from body.iter_chunks(_CHUNK)

    @contextmanager
    def _in_sentences(self) -> Iterator[None]:
        """Of errors, of which none has more than a code of what the store said."""
        try:
            yield
        except ParamValidationError:
            raise Refused(f"{self.url} names no bucket; one looks like s3://models/llava-1.5-7b-hf") from None
        except ClientError as error:
            raise self._refusal(str(error.response.get("Error", {}).get("Code", "no code"))) from None
        except Unconnected as error:
            why = f"{type(error).__name__}; AWS_ENDPOINT_URL, network"
            raise UnreachableError(f"{self.url} cannot be reached ({why}); try again, or give a folder's path") from None
        except BotoCoreError as error:
            raise Failed(f"S3 broke off while giving {self.url} ({type(error).__name__}); try again") from None

    def _refusal(self, code: str) -> Exception:
        if code in _ABSENT:
            return Refused(f"there is no bucket {self.name} for {self.url}; check the name, AWS_ENDPOINT_URL and AWS_REGION")
        if code in _DENIED:
            keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            return Refused(f"{self.url} is not open to this cluster ({code}); set {keys} to those of who may list and read it")
        if code in _ELSEWHERE:
            return Refused(f"{self.url} is in another region ({code}); set AWS_REGION to that of the bucket")
        if code in ("412", "PreconditionFailed"):
            return Failed(f"a file of {self.url} was replaced while it was fetched; try again")
        return Failed(f"S3 does not give {self.url} ({code}); try again")


def _client() -> Any:
    session = botocore.session.Session()
    chain = session.get_component("credential_provider")
    for name in _OF_A_NODE:
        chain.remove(name)
    own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        signature_version=None if session.get_credentials() else UNSIGNED,  # a bucket may be open to everybody
        s3={"addressing_style": "path"} if own else None,  # few stores of one's own have a name for each bucket
    )
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
    return session.create_client("s3", region_name=region, config=config)


def _decoded(checksum: str) -> bytes | None:
    try:
        digest = base64.b64decode(checksum.partition("-")[0], validate=True)  # of parts: with their number behind
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == 32 else None
