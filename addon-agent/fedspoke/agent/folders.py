"""Which federations have a folder in which volume for outputs, and what is to become of it.

It is kept in a ConfigMap that the owner can read, and written before a folder is used: an agent that is started anew knows what
lies where, also of federations that are gone. A folder lives as long as its federation does on this cluster. Of one that the
owner does not allow any more the ledgers stay alone, since what they count is spent.

The hub can write to ConfigMaps, too: so nothing is removed but a folder that is called as a federation is, of a volume that the
owner has labelled for outputs.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pydantic import RootModel, ValidationError

from fedspoke.agent.outputs import is_folder
from fedspoke.api.records import Record, Sentence

Place = tuple[str, str]
"""A federation, and a claim."""


class Folder(Record):
    """A federation's, in one claim."""

    only_ledgers: bool = False
    """Whether nothing else is left in it."""
    problem: Sentence = ""
    """Why it could not be wiped."""


class _Folders(RootModel[dict[str, Folder]]):
    """By claim."""


@dataclass(frozen=True, slots=True)
class Wipe:
    """What is to be removed."""

    run: str
    claim: str
    keeps_ledgers: bool

    @property
    def place(self) -> Place:
        """Where."""
        return self.run, self.claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What of the cluster decides."""

    claims: Collection[str]
    """All that there are, whatever their labels."""
    labelled: Collection[str]
    """Those for outputs."""
    used: Collection[Place]
    """Where a collaborator may write at this moment."""
    alive: Collection[str]
    """Federations of which the hub's ManifestWork is here."""
    unwanted: Collection[str]
    """Those of them that the owner does not allow."""


def known(data: Mapping[str, str]) -> dict[Place, Folder]:
    """What the ConfigMap says, without what is not ours."""
    found: dict[Place, Folder] = {}
    for run, text in data.items():
        if not is_folder(run):
            continue
        try:
            found |= {(run, claim): it for claim, it in _Folders.model_validate_json(text).root.items()}
        except ValidationError:
            continue
    return found


def told(folders: Mapping[Place, Folder]) -> dict[str, str]:
    """The ConfigMap's data."""
    runs: dict[str, dict[str, Folder]] = {}
    for (run, claim), it in sorted(folders.items()):
        runs.setdefault(run, {})[claim] = it
    return {run: _Folders(them).model_dump_json(by_alias=True, exclude_defaults=True) for run, them in runs.items()}


def due(folders: Mapping[Place, Folder], seen: Seen) -> list[Wipe]:
    """What is to be wiped, those last that could not be before."""
    wanted = [it for place, folder in folders.items() for it in _due(place, folder, seen)]
    return sorted(wanted, key=lambda it: (folders[it.place].problem != "", it.place))


def _due(place: Place, folder: Folder, seen: Seen) -> Iterator[Wipe]:
    run, claim = place
    if place in seen.used or claim not in seen.labelled:
        return
    if run not in seen.alive:
        yield Wipe(run, claim, keeps_ledgers=False)
    elif run in seen.unwanted and not folder.only_ledgers:
        yield Wipe(run, claim, keeps_ledgers=True)


def remaining(folders: Mapping[Place, Folder], seen: Seen) -> dict[Place, Folder]:
    """Without those whose claim is gone, and the volume with it."""
    return {place: it for place, it in folders.items() if place[1] in seen.claims or place in seen.used}


def wiped(folders: Mapping[Place, Folder], it: Wipe) -> dict[Place, Folder]:
    """Once it is done."""
    rest = {place: folder for place, folder in folders.items() if place != it.place}
    return rest | {it.place: Folder(only_ledgers=True)} if it.keeps_ledgers and it.place in folders else rest


def unwiped(folders: Mapping[Place, Folder], it: Wipe, problem: str) -> dict[Place, Folder]:
    """Once it has failed."""
    before = folders.get(it.place)
    return {**folders, it.place: before.model_copy(update={"problem": problem})} if before else dict(folders)
