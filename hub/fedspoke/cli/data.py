"""`fedspoke data`: what an export holds, and the records that training would see."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from fedspoke.data import records
from fedspoke.data.exports.export import read


@click.group()
def data() -> None:
    """Inspect or prepare the folder of a Facebook or Instagram export."""


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="json for programs.")
def inspect(path: Path, output: str) -> None:
    """Count what the export in PATH holds. Nothing is written, and no photo is opened."""
    export = read(path)
    times = [post.timestamp for post in export.posts if post.timestamp is not None]
    summary: dict[str, Any] = {
        "platform": export.platform,
        "posts": len(export.posts),
        "images": sum(len(post.images) for post in export.posts),
        "videos": export.skipped.get("video", 0),
        "skipped": export.skipped,
        "from": _day(min(times, default=None)),
        "to": _day(max(times, default=None)),
    }
    if output == "json":
        click.echo(json.dumps(summary, indent=2))
        return
    when = f", {summary['from']} to {summary['to']}" if times else ""
    click.echo(f"{export.platform}: {summary['posts']} posts, {summary['images']} of them with a photo{when}")
    _skipped(export.skipped)


@data.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def prepare(path: Path, out: Path) -> None:
    """Make the records of the export in PATH: OUT/cleaned_data.json and OUT/images/."""
    records.extract(path, None, out)
    cleaned = records.clean(out)
    images = sum(record.image is not None for record in cleaned.records)
    click.echo(f"{out / records.CLEANED}: {len(cleaned.records)} records, {images} of them with a photo")
    _skipped(cleaned.skipped)


def _day(timestamp: int | None) -> str | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC).date().isoformat()


def _skipped(counts: dict[str, int]) -> None:
    for reason, count in counts.items():
        click.echo(f"  skipped {reason}: {count}")
