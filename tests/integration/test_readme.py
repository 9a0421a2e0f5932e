"""Every command that a README shows is one that works, typed in the order in which it stands."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from support.example import call, fedspoke
from support.whole_run import example

ROOT = Path(__file__).parents[2]
PLACES = ("*.md", "*/README.md", "tests/*/README.md")
READMES = [path for place in PLACES for path in sorted(ROOT.glob(place)) if ".venv" not in path.parts]


def commands(path):
    """The lines of a README's shell blocks, without their comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [words for block in blocks for line in block.splitlines() if (words := shlex.split(line, comments=True))]


def test_there_is_a_readme_in_every_folder_of_the_tree():
    assert {path.parent.name for path in READMES} >= {"hub", "addon-agent", "placement", "manifestworks", "images", "tests"}


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_made_can_be_made(path):
    """`make -n` knows each target; what check and test do is done by CI, which calls them."""
    for words in commands(path):
        if words[0] == "make":
            done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(path):
    for words in commands(path):
        for word in words:
            if word.startswith("tests"):
                assert (ROOT / word).exists(), word
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_first_federation_is_what_make_demo_does_and_every_line_works(tmp_path):
    lines = [words for words in commands(ROOT / "README.md") if words[0] == ".venv/bin/fedspoke"]
    made = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [" ".join(words) for words in lines[:2]] == [line for line in made.splitlines() if "fedspoke " in line]
    assert len(lines) == 7
    for words in lines:
        done = subprocess.run(fedspoke(*words[1:]), cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, (words, done.stderr)
        assert done.stdout
    status = yaml.safe_load((tmp_path / "demo/out/federatedlearning.yaml").read_text())["status"]
    assert status["phase"] == "Completed"


def test_the_commands_that_folders_show_work_on_the_example(tmp_path):
    exports, cr = example() / "exports/facebook", example() / "federatedlearning.yaml"
    for words in (
        ["data", "inspect", str(exports)],
        ["data", "inspect", str(exports), "-o", "json"],
        ["data", "prepare", str(exports), str(tmp_path / "prepared")],
        ["data", "prepare", str(exports), str(tmp_path / "two"), "--without", "urls", "--without", "stories"],
        ["data", "rules"],
        ["place", str(cr), "--clusters", str(example() / "clusters"), "-o", "json"],
        ["render", str(cr), "--clusters", str(example() / "clusters")],
        ["model", "tiny", str(tmp_path / "tiny")],
        ["model", "download", str(tmp_path / "tiny"), str(tmp_path / "copy")],
        ["crd"],
    ):
        done = call(fedspoke(*words))
        assert done.returncode == 0, (words, done.stderr)
