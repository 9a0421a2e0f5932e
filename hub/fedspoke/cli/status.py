"""`fedspoke status`: how a federation is doing, read from the folder that `fedspoke run` writes."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from fedspoke.api import parse
from fedspoke.api.errors import Failed, Refused
from fedspoke.cli.status_view import Seen, line, view
from fedspoke.local import outcome
from fedspoke.local.folder import STATUS_FILE

_POLL = 0.5  # seconds; a look is one stat of one file
_FILE_WIDTH = 160  # columns where no terminal says how many it has
_GRACE = timedelta(minutes=1)  # after its deadline a run still ends its processes and writes its last status


@click.command
@click.argument("out", type=click.Path(path_type=Path))
@click.option("-n", "--namespace", help="For a federation on a cluster; this version reads folders only.")
@click.option("-w", "--watch", is_flag=True, help="Go on until it is Completed or Failed.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="json for programs.")
def status(out: Path, namespace: str | None, watch: bool, output: str) -> None:
    """Show how the federation of the folder OUT is doing."""
    if namespace is not None:
        raise Refused(f"-n {namespace} asks a cluster, which this version cannot; name the OUT folder of a `fedspoke run`")
    if watch:
        click.echo(f"Watching {out} until its federation is Completed or Failed; Ctrl-C stops watching.", err=True)
        states = follow(out, lambda: time.sleep(_POLL), lambda: datetime.now(UTC))
    else:
        states = iter([look(out)])
    if output == "json":
        for seen in states:
            click.echo(as_json(seen, indent=None if watch else 1))
    elif watch:
        _watch(states, _console())
    else:
        _console().print(view(next(states)))


def look(out: Path) -> Seen:
    """OUT as it is now.

    Raises:
        Refused: it is no OUT folder, or a file in it cannot be understood.
    """
    cr = outcome.resource(out)
    return Seen(parse.federated_learning(cr), outcome.status(cr), outcome.rounds(out))


def follow(out: Path, pause: Callable[[], None], now: Callable[[], datetime]) -> Iterator[Seen]:
    """OUT as it is, and again whenever its status was written, to the end of the federation.

    Raises:
        Refused: as `look`.
        Failed: the federation has not ended by its own deadline, so nobody writes its status any more.
    """
    seen, read, began = None, None, now()
    while True:
        written = _written(out)
        if seen is None or written != read:
            seen, read = look(out), written
            yield seen
        if seen.ended:
            return
        deadline = (seen.status.start_time or began) + seen.fl.spec.deadline
        if now() > deadline + _GRACE:
            raise Failed(
                f"{out} is still {seen.status.phase} after its deadline, {deadline:%Y-%m-%d %H:%M:%S} UTC: "
                f"the run that wrote it is gone; start it again with the same --out"
            )
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
