"""`fedspoke status`: how a federation is doing, on a cluster or in the folder that `fedspoke run` writes."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from fedspoke.api import parse
from fedspoke.api.errors import Failed, Refused
from fedspoke.cli.status_view import Seen, line, view
from fedspoke.local import outcome
from fedspoke.local.folder import STATUS_FILE, Folder

_POLL = 0.5  # seconds; a look is one stat of one file
_POLL_CLUSTER = 2.0  # a look is two questions to an API server
_FILE_WIDTH = 160  # columns where no terminal says how many it has
_IDLE = "no run is at work in {out}: it was cut off; the command that began it goes on after the last finished round"


@click.command
@click.argument("of", metavar="OUT|NAME")
@click.option("-n", "--namespace", help="NAME is that of a FederatedLearning in this namespace of a cluster.")
@click.option("--context", help="Of the kubeconfig, if not its current one; with -n.")
@click.option("-w", "--watch", is_flag=True, help="Go on until it is Completed or Failed.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="json for programs.")
def status(of: str, namespace: str | None, context: str | None, watch: bool, output: str) -> None:
    """Show how the federation of the folder OUT is doing, or with -n the FederatedLearning NAME of a cluster."""
    if namespace is None and context is not None:
        raise Refused(f"--context {context} names a cluster, and -n is missing: it says in which of its namespaces {of} is")
    if namespace is not None:
        from fedspoke.cli import status_on_cluster as on_cluster
        from fedspoke.kube.client import Kubernetes

        kube = Kubernetes.of_environment(context)
        if watch:
            pause, say = partial(time.sleep, _POLL_CLUSTER), partial(click.echo, err=True)
            _follow(of, on_cluster.follow(kube, namespace, of, pause, say), output)
        else:
            _print(on_cluster.look(kube, namespace, of), output)
        return
    out = Path(of)
    if watch:
        _follow(of, follow(out, lambda: time.sleep(_POLL), Folder.at_work), output)
        return
    alive = Folder.at_work(out)  # first: what a run writes last, it writes before it is gone
    seen = look(out)
    _print(seen, output)
    if not alive and not seen.ended:
        click.echo(_IDLE.format(out=out), err=True)


def look(out: Path) -> Seen:
    """OUT as it is now.

    Raises:
        Refused: it is no OUT folder, or a file in it cannot be understood.
    """
    cr = outcome.resource(out)
    fl = parse.federated_learning(cr)
    return Seen(fl.namespace, fl.name, outcome.status(cr), outcome.rounds(out))


def follow(out: Path, pause: Callable[[], None], at_work: Callable[[Path], bool]) -> Iterator[Seen]:
    """OUT as it is, and again whenever its status was written, to the end of the federation.

    Raises:
        Refused: as `look`.
        Failed: no run is at work in it any more, and its federation has not ended.
    """
    seen, read = None, None
    while True:
        alive = at_work(out)
        written = _written(out)
        if seen is None or written != read:
            seen, read = look(out), written
            yield seen
        if seen.ended:
            return
        if not alive:
            raise Failed(_IDLE.format(out=out))
        pause()


def as_json(seen: Seen, indent: int | None) -> str:
    """The status as it is in the resource."""
    return json.dumps(seen.status.model_dump(mode="json", by_alias=True, exclude_none=True), indent=indent)


def _written(out: Path) -> int:
    """When the status was last written, as a number that only serves to be compared; 0 where there is none."""
    try:
        return (out / STATUS_FILE).stat().st_mtime_ns
    except OSError:
        return 0


def _print(seen: Seen, output: str) -> None:
    if output == "text":
        _console().print(view(seen))
    else:
        click.echo(as_json(seen, indent=1))


def _follow(of: str, states: Iterator[Seen], output: str) -> None:
    click.echo(f"Watching {of} until its federation is Completed or Failed; Ctrl-C stops watching.", err=True)
    if output == "text":
        _watch(states, _console())
        return
    for seen in states:
        click.echo(as_json(seen, indent=None))


def _watch(states: Iterator[Seen], console: Console) -> None:
    """A view that is redrawn, or a line for each change where no terminal can redraw."""
    if not console.is_terminal:
        said = ""
        for seen in states:
            if (new := line(seen)) != said:
                click.echo(new)
                said = new
        return
    last: Seen | None = None
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for last in states:
            live.update(view(last), refresh=True)
    if last is not None:
        console.print(view(last))  # whole, where a live view is cut to the terminal's height


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
