"""The `fedspoke` command. Each sub-command is a module of its own, imported only when it is called: `--help` stays quick."""

import importlib
import sys

import click

from fedspoke.api.errors import Failed, Refused

COMMANDS = {  # name: (module, one line for --help)
    "demo": ("demo", "Write a ready example: a CR, clusters, exports with photographs, a tiny LLaVA."),
    "run": ("run", "Run one federation on this machine, to Completed or Failed."),
    "place": ("place", "Decide which clusters a FederatedLearning or a Placement chooses, and why not the others."),
    "render": ("render", "Print every object that the hub would apply, as YAML."),
    "status": ("status", "Show how a federation is doing."),
    "data": ("data", "Inspect or prepare a Facebook or Instagram export."),
    "model": ("model", "Make a tiny LLaVA, or download the real one."),
    "upload": ("upload", "Bring an export, or a model, into a volume of a cluster."),
    "receive": ("upload", "Take an upload into a volume (a container's command)."),
    "crd": ("crd", "Print the FederatedLearning CRD as YAML."),
    "agent": ("agent", "Run a spoke's agent (a container's command)."),
    "wipe": ("agent", "Remove what a federation has left in a volume (a container's command)."),
    "aggregator": ("processes", "Run a federation's aggregator (a container's command)."),
    "operator": ("operator", "Run the hub's controller (a container's command)."),
    "reporter": ("processes", "Tell the controller how a federation goes (a container's command)."),
    "fusion": ("processes", "Run the fusion service (a container's command)."),
    "mcp": ("processes", "Run a collaborator's trainer as an MCP server (a container's command)."),
    "collaborator": ("processes", "Run a collaborator's Flower client (a container's command)."),
}


class _Lazy(click.Group):
    """Knows its commands' names and help lines; imports a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"fedspoke.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fedspoke")
def fedspoke() -> None:
    """Fine-tune LLaVA with LoRA across clusters whose social-media data never leaves them."""


def main() -> None:
    """Exit with 0 done, 1 it failed, 2 the input was refused; the reason is one sentence on stderr, never a traceback."""
    try:
        fedspoke()
    except Refused as error:
        sys.exit(_say(error, 2))
    except Failed as error:
        sys.exit(_say(error, 1))
    except OSError as error:  # a full disk, say, wherever it is met
        sys.exit(_say(f"{error.filename or 'the system'}: {error.strerror or error}", 1))
    except ModuleNotFoundError as error:  # an image carries only what its processes run; a laptop wants all
        sys.exit(_say(f"this command needs {error.name}, which is not installed: install fedspoke[local], or make install", 2))


def _say(error: Exception | str, status: int) -> int:
    click.echo(f"fedspoke: {error}", err=True)
    return status
