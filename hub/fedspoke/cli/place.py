"""`fedspoke place`: who would take part, and why not the others."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedspoke.api.errors import Failed, Refused

if TYPE_CHECKING:
    from fedspoke.placement.evaluate import Decision

_SAID = 3  # reasons in the error's one sentence; all of them are printed before it


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--clusters", required=True, type=click.Path(path_type=Path), help="Folder of ManagedClusters as YAML files.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="What is printed.")
def place(file: Path, clusters: Path, output: str) -> None:
    """Decide which clusters the FederatedLearning or the Placement in FILE chooses.

    Every cluster that is not chosen has its reason, and each that qualifies has what its score is made of. The exit status
    is 1 if none is chosen.
    """
    import json
    from datetime import UTC, datetime

    from fedspoke.api import parse
    from fedspoke.api.names import KIND, PLACEMENT
    from fedspoke.local.clusters import read
    from fedspoke.placement.evaluate import evaluate

    document, now = parse.document(file), datetime.now(UTC)
    if document["kind"] not in (KIND, PLACEMENT[1]):
        raise Refused(f"{file} holds a {document['kind']}; give a {KIND} or a {PLACEMENT[1]}")
    federation = parse.federated_learning(document) if document["kind"] == KIND else None
    if not federation:
        parse.placement(document)  # refused before its parts are read
    known = read(clusters)
    for doubt in known.doubts:
        click.echo(f"fedspoke: {doubt}", err=True)
    decision = known.decision(federation, now) if federation else evaluate(document, known.fleet(document), now)
    if output == "json":
        click.echo(json.dumps(decision.as_json(), indent=2))
    else:
        _tables(decision)
    if failure := _failure(decision):
        raise Failed(failure)


def _failure(decision: "Decision") -> str | None:
    from fedspoke.cli.columns import printable

    if decision.problem:
        return printable(f"the Placement is misconfigured: {decision.problem}")
    if decision.decisions:
        return None
    reasons = [f"{name} {reason}" for name, reason in decision.rejected]
    more = [f"and {len(reasons) - _SAID} more, for the reasons above"] if len(reasons) > _SAID else []
    return printable(f"no cluster is chosen: {'; '.join(reasons[:_SAID] + more)}")


def _tables(decision: "Decision") -> None:
    import shutil
    import sys

    from fedspoke.cli.columns import lines
    from fedspoke.placement.explain import tables

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for columns, rows in tables(decision):
        header, *body = lines(columns, rows, width)
        click.secho(header, bold=True)
        click.echo("\n".join([*body, ""]))
    for note in decision.notes:
        click.echo(f"Note: {note}.")
