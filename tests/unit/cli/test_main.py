"""The command's frame: quick help, exit statuses, one sentence."""

import importlib
import subprocess
import sys

import click
import pytest

from fedspoke.api.errors import Failed, Refused
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


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(Refused("the CR is bad"), 2, id="a refusal"),
        pytest.param(Failed("the run failed"), 1, id="a failure"),
    ],
)
def test_an_error_is_one_sentence_and_a_status(error, status, capsys, monkeypatch):
    def fails():
        raise error

    monkeypatch.setattr(cli, "fedspoke", fails)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == status
    assert capsys.readouterr().err == f"fedspoke: {error}\n"


def test_a_package_that_is_not_installed_is_named_with_the_remedy(capsys, monkeypatch):
    def fails():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli, "fedspoke", fails)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert "needs torch" in capsys.readouterr().err
