"""`fedspoke upload` refuses what cannot be used, before it speaks to any cluster."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fedspoke.api.errors import Refused
from fedspoke.cli.upload import upload
from fedspoke.collaborator.model import make_tiny
from support import exports


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(upload, [str(it) for it in arguments])
    assert isinstance(result.exception, Refused), result.exception
    return str(result.exception)


@pytest.fixture
def facebook(tmp_path: Path) -> Path:
    return exports.write(tmp_path / "export", {exports.FACEBOOK_POSTS: [exports.facebook_post("A day at the sea.")]})


@pytest.mark.parametrize("arguments", [(), ("--platform", "facebook", "--model", "llava")])
def test_it_must_be_said_what_it_is(tmp_path: Path, arguments: tuple[str, ...]):
    assert refused(*arguments, tmp_path).startswith("name what PATH is: ")


def test_an_export_of_the_other_platform_is_refused(facebook: Path):
    assert refused("--platform", "instagram", facebook) == f"{facebook} is an export of facebook, and --platform says instagram"


def test_what_inspect_refuses_is_refused(tmp_path: Path):
    assert "facebook" in refused("--platform", "facebook", tmp_path)


def test_a_folder_that_is_no_llava_is_refused(tmp_path: Path):
    assert "is no model" in refused("--model", "llava", tmp_path)


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden"])
def test_a_model_is_named_like_a_folder(tmp_path: Path, name: str):
    make_tiny(tmp_path / "model")
    assert "must be the name of a folder" in refused("--model", name, tmp_path / "model")


def test_a_volume_comes_from_one_place(facebook: Path):
    assert "name one" in refused("--platform", "facebook", "--storage-class", "fast", "--host-path", "/srv", facebook)
    assert "must be a folder of the node" in refused("--platform", "facebook", "--host-path", "srv", facebook)
