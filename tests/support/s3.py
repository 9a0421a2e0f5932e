"""An S3 of our own on loopback, over HTTP, and a line to it that can be cut."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import httpx
from botocore.config import Config
from moto.server import ThreadedMotoServer

BUCKET = "models"
KEYS = {"AWS_ACCESS_KEY_ID": "an owner's", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_REGION": "us-east-1"}
_PART = 5 << 20  # bytes: S3 takes no smaller ones but the last


@dataclass
class S3:
    """A store with one bucket."""

    url: str
    client: Any

    def put(self, files: Path, folder: str = "llava", *, but: tuple[str, ...] = (), **said: str) -> str:
        """A folder's files, with what is said of each to the store; their URL."""
        for file in files.iterdir():
            if file.name not in but:
                self.client.put_object(Bucket=BUCKET, Key=f"{folder}/{file.name}", Body=file.read_bytes(), **said)
        return f"s3://{BUCKET}/{folder}"

    def put_in_parts(self, key: str, content: bytes) -> None:
        """As tools do with what is large: its SHA-256 is then that of its parts'."""
        of: dict[str, Any] = {"Bucket": BUCKET, "Key": key}
        of["UploadId"] = self.client.create_multipart_upload(**of, ChecksumAlgorithm="SHA256")["UploadId"]
        parts = []
        for number, at in enumerate(range(0, len(content), _PART), 1):
            done = self.client.upload_part(**of, PartNumber=number, Body=content[at : at + _PART], ChecksumAlgorithm="SHA256")
            parts.append({"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]})
        self.client.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})

    @contextmanager
    def asking_for_keys(self) -> Iterator[None]:
        """From now on it knows nobody."""
        _ask_for_keys(self.url, "0")
        try:
            yield
        finally:
            _ask_for_keys(self.url, "inf")


def asking(url: str, service: str) -> Any:
    """A client of such a store, or of who gives out its keys (`iam`), as somebody whom it believes as long as it believes all."""
    keys = {"aws_access_key_id": "anybody", "aws_secret_access_key": "anything"}
    config = Config(s3={"addressing_style": "path"})
    return botocore.session.Session().create_client(service, KEYS["AWS_REGION"], endpoint_url=url, config=config, **keys)


def keys(url: str) -> dict[str, str]:
    """Those of somebody who may list and read; from now on the store lets in nobody else."""
    iam, name = asking(url, "iam"), "reader"
    iam.create_user(UserName=name)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    may = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    _ask_for_keys(url, "0")
    return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


def _ask_for_keys(url: str, after: str) -> None:
    httpx.post(f"{url}/moto-api/reset-auth", content=after)


@contextmanager
def s3() -> Iterator[S3]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        client = asking(url, "s3")
        client.create_bucket(Bucket=BUCKET)
        yield S3(url, client)
    finally:
        server.stop()


@dataclass
class Line:
    """What goes through it, and after how many bytes of an answer it is cut, once."""

    url: str = ""
    cut_after: int | None = None
    asked: list[str] = field(default_factory=list)
    """First lines of requests, each with its range where it has one."""


@contextmanager
def line(to: str) -> Iterator[Line]:
    """A way to a store that hears all that it is asked."""
    host, _, port = to.removeprefix("http://").rpartition(":")
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        found = Line(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    threading.Thread(target=_carry, args=(near, socket.create_connection((host, int(port))), found)).start()

        threading.Thread(target=serve, daemon=True).start()
        yield found


def _carry(near: socket.socket, far: socket.socket, line: Line) -> None:
    def ask() -> None:
        with suppress(OSError):
            while data := near.recv(1 << 16):
                head = data.decode("latin-1").splitlines()
                if head[0].endswith("HTTP/1.1"):
                    ranged = [it.partition(": ")[2] for it in head if it.lower().startswith("range: ")]
                    line.asked.append(" ".join([*head[0].split()[:2], *ranged]))
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    threading.Thread(target=ask, daemon=True).start()
    sent = 0
    with near, far, suppress(OSError):
        while data := far.recv(1 << 14):
            near.sendall(data)
            sent += len(data)
            if line.cut_after is not None and sent > line.cut_after:
                line.cut_after = None
                near.shutdown(socket.SHUT_RDWR)
                return
