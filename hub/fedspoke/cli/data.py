"""`fedspoke data`: what an export holds, and the records that training would see."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.records import CollaboratorSettings
from fedspoke.cli.progress import shown

_EXPORT = click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
_OUTPUT = click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", help="json for programs.")


@click.group()
def data() -> None:
    """Inspect or prepare a Facebook or Instagram export: a folder, a zip, or several zip parts."""


@data.command()
@_EXPORT
@_OUTPUT
def inspect(paths: tuple[Path, ...], output: str) -> None:
    """Count what the export at PATH holds. Nothing is written, and no photo is opened."""
    from fedspoke.data.inspect import inspect

    with shown() as progress:
        found = inspect(paths, progress)
    first, last = _day(found.first), _day(found.last)
    if output == "json":
        summary = {key: value for key, value in asdict(found).items() if key not in ("first", "last")}
        click.echo(json.dumps({**summary, "from": first, "to": last}, indent=2))
        return
    when = f", {first} to {last}" if first else ""
    click.echo(f"{found.platform}: {found.posts} posts with {found.images} photos{when}")
    _tell_unreadable(found.skipped)
    _tell("kind", found.kinds)
    _tell("skipped", found.skipped)


@data.command()
@_EXPORT
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--without", "rules", metavar="RULE", multiple=True, help="Leave a rule out; `fedspoke data rules` names them.")
@_OUTPUT
def prepare(paths: tuple[Path, ...], out: Path, rules: tuple[str, ...], output: str) -> None:
    """Make the records of the export at PATH: OUT/cleaned_data.json and OUT/images/.

    A run that was interrupted goes on when it is started again. OUT also keeps the stages before the last, in which nothing is
    masked yet: raw_facebook_data.json or raw_instagram_data.json, and dummy_data.json. All of it is for its owner alone.
    """
    try:
        from fedspoke.data.cleaning.rules import RULES
        from fedspoke.data.extract import EXTRACTED
        from fedspoke.data.prepare import prepare
        from fedspoke.data.records import CLEANED

        for rule in rules:
            if rule not in RULES:
                raise Refused(f"--without {rule} names no rule; the rules are {', '.join(RULES)}")
        with shown() as progress:
            made = prepare(paths, out, progress, frozenset(rules))
    except KeyboardInterrupt:
        raise Failed("interrupted; the same command goes on where this one stopped") from None
    if output == "json":
        click.echo(json.dumps(asdict(made), indent=2))
        return
    click.echo(f"{out / CLEANED}: {made.records} records, {made.with_photo} of them with a photo")
    _tell_unreadable(made.dropped)
    _tell("kind", made.kinds)
    _tell("language", made.languages)
    _tell("dropped", made.dropped)
    _tell("changed by", made.changed)
    click.echo(f"keep to yourself: {EXTRACTED} and the raw data beside it hold what you wrote as it was, with nothing masked")


@data.command()
@_OUTPUT
def rules(output: str) -> None:
    """List the rules by which posts are cleaned, each with its reason."""
    from fedspoke.data.cleaning.rules import RULES

    if output == "json":
        click.echo(json.dumps(dict(RULES), indent=2))
        return
    width = max(map(len, RULES))
    for name, reason in RULES.items():
        click.echo(f"{name:{width}}  {reason}")


@data.command()
@click.argument("name")
@click.option("--settings", type=click.Path(path_type=Path), required=True, help="The collaborator's settings file, JSON.")
def show(name: str, settings: Path) -> None:
    """Print the file NAME of a collaborator's output as it was before it was sealed, say captions.json."""
    from fedspoke.cli.processes import read
    from fedspoke.data import sealed

    told = read(settings, CollaboratorSettings)
    output = Path(told.output).resolve()
    file = (output / name).resolve()
    if not file.is_relative_to(output):
        raise Refused(f"{name} lies outside the collaborator's output, {output}")
    store = sealed.Store(output, sealed.key(Path(told.key)) if told.key else None)
    try:
        click.echo(store.read(file), nl=False)
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from None


def _day(timestamp: int | None) -> str | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC).date().isoformat()


def _tell_unreadable(counts: dict[str, int]) -> None:
    if files := sum(counts.get(reason, 0) for reason in ("unreadable_json", "truncated_json")):
        click.echo(
            f"  INCOMPLETE: {files} of the files that list posts could not be read to its end; the rest of it is missing here"
        )


def _tell(what: str, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        click.echo(f"  {what} {name}: {count}")
