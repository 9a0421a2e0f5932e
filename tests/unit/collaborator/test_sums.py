"""A model in a folder with `SHA256SUMS` is the one that was put there."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.files import SUMS
from fedspoke.collaborator.model_folder import find

FILES = {"config.json": '{"model_type": "llava"}', "model.safetensors": "weights", "README.md": "read by nobody"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """As `sha256sum * > SHA256SUMS` leaves it."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    said = subprocess.run(["sha256sum", *sorted(FILES)], cwd=tmp_path, capture_output=True, text=True, check=True)
    (tmp_path / SUMS).write_text(said.stdout)
    return tmp_path


def test_a_model_that_is_as_it_was_is_found_again_and_again(model: Path) -> None:
    assert [find(str(model)) for _ in range(2)] == [model, model]


def as_of_this_folder(said: str) -> str:
    """As `sha256sum ./*` writes it."""
    return said.replace("  ", "  ./")


def in_capitals(said: str) -> str:
    return "".join(f"{line[:64].upper()} *{line[66:]}\r\n" for line in said.splitlines())


def with_itself(said: str) -> str:
    """As `sha256sum * > SHA256SUMS` writes it the second time."""
    return f"{hashlib.sha256(said.encode()).hexdigest()}  {SUMS}\n{said}"


@pytest.mark.parametrize("written", [as_of_this_folder, in_capitals, with_itself])
def test_its_list_may_be_written_in_other_ways(written: Callable[[str], str], model: Path) -> None:
    (model / SUMS).write_text(written((model / SUMS).read_text()))
    assert find(str(model)) == model
    (model / "model.safetensors").write_text("weighty")
    with pytest.raises(Refused, match="it is damaged"):
        find(str(model))


def test_one_that_was_damaged_since_it_was_checked_is_refused(model: Path) -> None:
    find(str(model))
    (model / "model.safetensors").write_text("weighty")
    with pytest.raises(Refused, match=r"model.safetensors is not the file that SHA256SUMS lists: it is damaged"):
        find(str(model))


def test_in_a_volume_that_is_only_read_it_is_checked_all_the_same(model: Path) -> None:
    (model / ".checked").mkdir()  # so that nothing can be written down
    find(str(model))
    (model / "config.json").write_text('{"model_type":  "llava"}')
    with pytest.raises(Refused, match="it is damaged"):
        find(str(model))


def missing(model: Path) -> None:
    (model / "README.md").unlink()


def unlisted(model: Path) -> None:
    (model / "more.safetensors").write_text("of another model")


def above(model: Path) -> None:
    (model / SUMS).write_text(f"{'0' * 64}  ./../../etc/passwd\n")


def outside(model: Path) -> None:
    (model / SUMS).write_text(f"{'0' * 64}  /etc/passwd\n")


def nothing(model: Path) -> None:
    (model / SUMS).write_text(f"{'0' * 64}  ./\n")


def of_another_kind(model: Path) -> None:
    (model / SUMS).write_text("MD5 (config.json) = d41d8cd98f00b204e9800998ecf8427e\n")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (missing, r"lacks README\.md, which its SHA256SUMS lists"),
        (unlisted, r"SHA256SUMS does not list more\.safetensors: write it anew once the folder is whole, `sha256sum \*`"),
        (above, "is not as `sha256sum` writes it, in line 1"),
        (nothing, "is not as `sha256sum` writes it, in line 1"),
        (outside, "is not as `sha256sum` writes it, in line 1"),
        (of_another_kind, "is not as `sha256sum` writes it, in line 1"),
    ],
)
def test_what_does_not_fit_to_the_list_is_named(model: Path, change: Callable[[Path], None], sentence: str) -> None:
    change(model)
    with pytest.raises(Refused, match=sentence):
        find(str(model))
