"""`fedspoke run`: a federation on this machine, with its progress on stderr."""

import json
from pathlib import Path

import click

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import FederatedLearningStatus


@click.command
@click.argument("cr", type=click.Path(path_type=Path))
@click.option("--clusters", type=click.Path(path_type=Path), required=True, help="Folder of ManagedCluster YAML files.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the result: new, empty, or of this run before it was cut off.",
)
@click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", help="What to print on stdout at the end.")
def run(cr: Path, clusters: Path, out: Path, output: str) -> None:
    """Run the federation of the CR on this machine, to Completed or Failed."""
    from fedspoke.local.run import run as run_here

    status = run_here(cr, clusters, out, _Lines().show)
    if output == "json":
        click.echo(json.dumps(status.model_dump(mode="json", by_alias=True, exclude_none=True), indent=1))
    if status.phase == "Failed":
        raise Failed(status.message)
    if output == "text":
        click.echo(f"Completed: {status.message}\nThe report is {out / 'report.html'}; the global adapter is {out / 'global'}.")


class _Lines:
    """Says what changed since the last status, a line each."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._message = ""

    def show(self, status: FederatedLearningStatus) -> None:
        """Print what is new."""
        if status.message != self._message:
            self._message = status.message
            self._say(status.message if status.message.startswith("waiting") else f"{status.phase}: {status.message}")
        for cluster in status.clusters:
            what = f"  {cluster.name}: {cluster.phase}" + (f" — {cluster.reason}" if cluster.reason else "")
            if cluster.posts is not None:
                what += f" ({cluster.posts} posts from {cluster.platform})"
            self._once(f"{what}, round {cluster.last_round}, loss {cluster.loss:.3f}" if cluster.loss is not None else what)
        for metrics in status.metrics:
            self._once(
                f"  round {metrics.round} of {status.rounds.total if status.rounds else '?'}: loss {metrics.loss:.3f} over "
                f"{metrics.clusters} clusters, {metrics.seconds:.1f} s, {metrics.bytes_in:,} bytes in, {metrics.bytes_out:,} out"
            )
            if metrics.held_out_loss is not None:
                self._once(f"  the adapter of round {metrics.round}: loss {metrics.held_out_loss:.3f} on posts held out")

    def _once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def _say(self, line: str) -> None:
        click.echo(line, err=True)
