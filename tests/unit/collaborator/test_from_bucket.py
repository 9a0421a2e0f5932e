"""A model from S3: a real HTTP server, and the tiny model."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from fedspoke.api.errors import Failed, Refused
from fedspoke.collaborator.model import load
from fedspoke.collaborator.model_folder import download, find
from support.closed import CLOSED
from support.s3 import BUCKET, KEYS, S3, Line, line, s3
from support.tiny import tiny_llava

SHA256: dict[str, Any] = {"ChecksumAlgorithm": "SHA256"}


@pytest.fixture(scope="module")
def whole_store() -> Iterator[S3]:
    with s3() as store:
        yield store


@pytest.fixture
def store(whole_store: S3) -> S3:
    listed = whole_store.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    for it in listed:
        whole_store.client.delete_object(Bucket=BUCKET, Key=it["Key"])
    return whole_store


@pytest.fixture
def way(store: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """To the store, as the environment has it."""
    for name in [it for it in os.environ if it.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with line(store.url) as found:
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": found.url}.items():
            monkeypatch.setenv(name, value)
        yield found


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "checked"}


def sums(folder: Path) -> bytes:
    """As `sha256sum ./*` writes them."""
    return "".join(f"{hashlib.sha256(content).hexdigest()}  ./{name}\n" for name, content in files(folder).items()).encode()


def fetches(way: Line) -> list[str]:
    """Which files were asked for, and from where on."""
    return [it.removeprefix(f"GET /{BUCKET}/llava/") for it in way.asked if it.startswith(f"GET /{BUCKET}/llava/")]


@pytest.mark.usefixtures("way")
def test_a_model_comes_from_s3_with_the_checksums_that_are_there(
    store: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    url = store.put(tiny_llava(), **SHA256)
    store.client.put_object(Bucket=BUCKET, Key="llava/notes.md", Body=b"not the model's")
    store.client.put_object(Bucket=BUCKET, Key="llava/onnx/model.safetensors", Body=b"another's")
    assert files(find(url)) == files(tiny_llava())
    assert [it.name for it in tmp_path.iterdir()] == ["s3"]
    load(url)


def test_or_with_a_file_of_sums_beside_it(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava())
    store.client.put_object(Bucket=BUCKET, Key="llava/SHA256SUMS", Body=sums(tiny_llava()))
    assert files(find(url, tmp_path)) == files(tiny_llava())


def test_one_that_lists_what_is_in_no_folder_is_refused_before_anything_comes(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava())
    said = sums(tiny_llava()) + f"{'0' * 64}  ../config.json\n".encode()
    store.client.put_object(Bucket=BUCKET, Key="llava/SHA256SUMS", Body=said)
    line = len(said.splitlines())
    with pytest.raises(Refused, match=f"SHA256SUMS of {url} is not as `sha256sum` writes it, in line {line}"):
        find(url, tmp_path)
    assert fetches(way) == ["SHA256SUMS"]


def test_or_not_at_all(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), but=("model.safetensors",), **SHA256)
    store.client.put_object(Bucket=BUCKET, Key="llava/model.safetensors", Body=b"x")
    why = (
        f"nothing says what model.safetensors of {url} has to be; "
        "upload it with a SHA-256 (--checksum-algorithm SHA256), or put a SHA256SUMS beside it that lists it"
    )
    with pytest.raises(Refused) as refused:
        find(url, tmp_path)
    assert str(refused.value) == why
    assert fetches(way) == []


def test_what_was_uploaded_in_parts_is_checked_by_theirs(store: S3, way: Line, tmp_path: Path) -> None:
    content = os.urandom((11 << 20) + 7)
    url = store.put(tiny_llava(), **SHA256)
    store.put_in_parts("llava/large.safetensors", content)
    assert (find(url, tmp_path) / "large.safetensors").read_bytes() == content


@pytest.mark.usefixtures("way")
def test_a_file_that_is_not_what_its_sum_says_is_not_taken(store: S3, tmp_path: Path) -> None:
    url = store.put(tiny_llava())
    listed = sums(tiny_llava()).decode().splitlines()
    wrong = [f"{'0' * 64}  {it[66:]}" if it.endswith("model.safetensors") else it for it in listed]
    store.client.put_object(Bucket=BUCKET, Key="llava/SHA256SUMS", Body="\n".join(wrong).encode())
    for _ in range(2):
        with pytest.raises(Failed, match=f"model.safetensors of {url} is not what its SHA-256 says"):
            find(url, tmp_path)
    assert not [*tmp_path.rglob("model.safetensors*")]


def test_it_is_fetched_once(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), **SHA256)
    once = find(url, tmp_path)
    asked = len(fetches(way))
    assert find(url, tmp_path) == once
    assert len(fetches(way)) == asked == len(files(tiny_llava()))


def test_another_model_of_the_same_name_is_fetched_beside_it(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), **SHA256)
    first = find(url, tmp_path)
    store.client.put_object(Bucket=BUCKET, Key="llava/generation_config.json", Body=b'{"other": 1}', **SHA256)
    second = find(url, tmp_path)
    assert (second / "generation_config.json").read_bytes() == b'{"other": 1}'
    assert files(first) == files(tiny_llava())


def test_what_was_begun_of_a_model_that_is_another_by_now_is_removed(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), **SHA256)
    way.cut_after = 100 << 10
    with pytest.raises(Failed):
        find(url, tmp_path)
    store.client.put_object(Bucket=BUCKET, Key="llava/generation_config.json", Body=b"{}", **SHA256)
    folder = find(url, tmp_path)
    assert sorted(it.name for it in folder.parent.iterdir()) == [".lock", folder.name]


def test_what_a_cut_line_leaves_is_gone_on_with(store: S3, way: Line, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    url = store.put(tiny_llava(), **SHA256)
    store.client.put_object(Bucket=BUCKET, Key="llava/zzz.safetensors", Body=content, **SHA256)
    way.cut_after = 2 << 20
    with pytest.raises(Failed, match=f"S3 broke off while giving {url}.*; try again"):
        find(url, tmp_path)
    had = next(tmp_path.rglob("zzz.safetensors.part")).stat().st_size
    assert had
    assert [*tmp_path.glob("*/*/[!.]*")] == []
    assert (find(url, tmp_path) / "zzz.safetensors").read_bytes() == content
    assert [it for it in fetches(way) if "zzz" in it] == ["zzz.safetensors", f"zzz.safetensors bytes={had}-"]


def test_two_that_want_it_at_once_fetch_it_once(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), **SHA256)
    code = (
        "import sys, pathlib as p; from fedspoke.collaborator import model_folder as m; m.find(sys.argv[1], p.Path(sys.argv[2]))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, url, str(tmp_path)]) for _ in range(2)]
    assert [it.wait(120) for it in both] == [0, 0]
    assert sorted(fetches(way)) == sorted(files(tiny_llava()))


@pytest.mark.usefixtures("way")
def test_what_was_damaged_since_is_fetched_anew(store: S3, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), **SHA256)
    weights = find(url, tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(Failed, match=f"a file of {url} was damaged since it was fetched; try again"):
        find(url, tmp_path)
    assert files(find(url, tmp_path)) == files(tiny_llava())


def test_where_nobody_answers_what_was_fetched_before_is_taken(
    store: S3, way: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = store.put(tiny_llava(), **SHA256)
    before = find(url, tmp_path / "one")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # the discard port: nobody listens
    assert find(url, tmp_path / "one") == before
    with pytest.raises(
        Failed, match=rf"{url} cannot be reached \(EndpointConnectionError; AWS_ENDPOINT_URL, network\); try again"
    ):
        find(url, tmp_path / "two")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3://", "s3:// is no folder in S3, which looks like s3://models/llava-1.5-7b-hf"),
        ("s3://Models/x", "s3://Models/x is no folder in S3, which looks like s3://models/llava-1.5-7b-hf"),
        ("s3://none/x", "there is no bucket none for s3://none/x; check the name, AWS_ENDPOINT_URL and AWS_REGION"),
        ("s3://models/none", "s3://models/none is no model: it has no config.json that names a model_type"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(url: str, why: str, store: S3, tmp_path: Path) -> None:
    store.put(tiny_llava(), **SHA256)
    with pytest.raises(Refused) as refused:
        find(url, tmp_path)
    assert str(refused.value) == why


def test_a_bucket_that_is_not_open_to_the_owners_keys_is_refused(store: S3, way: Line, tmp_path: Path) -> None:
    url = store.put(tiny_llava(), **SHA256)
    keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    with store.asking_for_keys(), pytest.raises(Refused) as refused:
        find(url, tmp_path)
    assert (
        str(refused.value)
        == f"{url} is not open to this cluster (InvalidAccessKeyId); set {keys} to those of who may list and read it"
    )


@pytest.mark.usefixtures("way")
def test_without_keys_a_bucket_is_asked_as_anybody_may_ask(store: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = store.put(tiny_llava(), **SHA256, ACL="public-read")
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert files(find(url, tmp_path / "home")) == files(tiny_llava())


def test_another_kind_of_model_is_refused_before_its_weights_come(store: S3, way: Line, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny_llava(), tmp_path / "other"))
    (other / "config.json").write_text('{"model_type": "bert"}')
    url = store.put(other, **SHA256)
    with pytest.raises(Refused, match=f"{url} is a model of type bert; only LLaVA 1.5"):
        find(url, tmp_path / "home")
    assert fetches(way) == ["config.json"]


@pytest.mark.usefixtures("way")
def test_a_volume_that_cannot_be_written_to_is_named_as_what_is_wrong(store: S3) -> None:
    with pytest.raises(Failed, match=rf"cannot be kept in {CLOSED}: .*; on a cluster, the volume of training.model.claimName"):
        find(store.put(tiny_llava(), **SHA256), CLOSED)


def test_an_endpoint_that_is_none_is_refused(way: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio")
    with pytest.raises(Refused, match=r"AWS_ENDPOINT_URL is no URL, which looks like https://s3\.example\.com"):
        find("s3://models/llava", tmp_path)


@pytest.mark.usefixtures("way")
def test_the_command_puts_it_into_a_folder_and_leaves_nothing_beside_it(store: S3, tmp_path: Path) -> None:
    download(store.put(tiny_llava(), **SHA256), tmp_path / "new/copy")
    assert files(tmp_path / "new/copy") == files(tiny_llava())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy"]
