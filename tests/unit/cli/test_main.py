"""The command's frame: quick help, exit statuses, one sentence."""

import importlib
import subprocess
import sys

import click
import pytest

from fedspoke.cli import main as cli

HEAVY = {
    "cryptography",
    "flwr",
    "httpx",
    "mcp",
    "numpy",
    "peft",
    "pydantic",
    "rich",
    "starlette",
    "torch",
    "transformers",
    "yaml",
}


def test_help_loads_nothing_heavy():
    script = (
        "import sys\nfrom fedspoke.cli.main import fedspoke\nfedspoke(['--help'], standalone_mode=False)\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.splitlines()[-1].split()}
    assert loaded & HEAVY == set()
    assert "Run one federation on this machine" in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_that_help_lists_exists(name):
    command = getattr(importlib.import_module(f"fedspoke.cli.{cli.COMMANDS[name][0]}"), name)
    assert isinstance(command, click.Command)
    assert command.help


def call(*words, without=""):
    """The command as a person types it; `without` is a package that is not installed."""
    script = f"import sys\nsys.modules[{without!r}] = None\nfrom fedspoke.cli.main import main\nmain()"
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)


def test_what_is_refused_is_one_sentence_and_status_2(tmp_path):
    done = call("place", str(tmp_path / "cr.yaml"), "--clusters", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"fedspoke: {tmp_path}/cr.yaml does not exist; name a YAML file\n"


def test_a_package_that_is_not_installed_is_named_with_the_remedy(tmp_path):
    done = call("place", str(tmp_path / "cr.yaml"), "--clusters", str(tmp_path), without="yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("fedspoke: this command needs yaml, which is not installed")
