"""The crew in a process of its own, forked from one that has imported CrewAI once for all tests; with all that it wrote."""

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api.curation import Curation
from fedspoke.api.errors import Failed
from fedspoke.collaborator.curation import questions
from fedspoke.collaborator.flower_client import HOMES
from support.flow import server


@dataclass(frozen=True)
class Asked:
    """What came of a question about each post, until one failed."""

    words: tuple[str | None, ...]
    failed: str
    log: str


def asked(curation: Curation, posts: Sequence[str], home: Path, environment: Mapping[str, str] | None = None) -> Asked:
    """Whether each of these is private. What the process writes is in `home`."""
    home.mkdir(exist_ok=True)
    with ProcessPoolExecutor(1, mp_context=server()) as pool:
        words, failed = pool.submit(_asked, curation, tuple(posts), home, dict(environment or {})).result()
    return Asked(words, failed, (home / "log").read_text())


def _asked(
    curation: Curation, posts: tuple[str, ...], home: Path, environment: dict[str, str]
) -> tuple[tuple[str | None, ...], str]:
    from fedspoke.collaborator.curators import Curators

    os.environ.update(dict.fromkeys(HOMES, str(home)) | environment)
    log = os.open(home / "log", os.O_WRONLY | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    words: list[str | None] = []
    crew = Curators(curation)
    try:
        words.extend(crew.ask(questions(post, topics=False)[0]) for post in posts)
    except Failed as error:
        return tuple(words), str(error)
    return tuple(words), ""
