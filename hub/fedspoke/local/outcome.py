"""What a federation leaves in its OUT folder, read back: while it runs, when it has ended, and when it ended badly.

Only federatedlearning.yaml must be there; whatever a failed or unfinished run had no time to write is simply absent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from fedspoke.api import parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearningStatus, Object
from fedspoke.api.profiles import GeneralProfile, Profile
from fedspoke.api.records import Record, RoundRecord
from fedspoke.local.folder import STATUS_FILE

T = TypeVar("T")


class _Decision(Record):
    cluster_name: str
    score: float


class _Rejection(Record):
    cluster_name: str
    reason: str


class _Placement(Record):
    model_config = ConfigDict(extra="ignore")  # conditions, groups and scores are for whoever asks about the placement

    decisions: tuple[_Decision, ...]
    rejected: tuple[_Rejection, ...]


_PROFILES: TypeAdapter[Profile | tuple[Profile, ...]] = TypeAdapter(Profile | tuple[Profile, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One OUT folder. `cr` is the resource as its user wrote it, with `status`; `placement` is {} where none was made."""

    cr: Object
    rounds: tuple[RoundRecord, ...]
    placement: Object
    general: GeneralProfile | None
    profiles: tuple[Profile, ...]


def read(out: Path) -> Outcome:
    """The folder as it is now.

    Raises:
        Refused: it is no OUT folder, or a file in it cannot be understood.
    """
    return Outcome(
        cr=resource(out),
        rounds=rounds(out),
        placement=_parse(out / "placement.json", _placement) or {},
        general=_parse(out / "general_profile.json", GeneralProfile.model_validate_json),
        profiles=tuple(_profiles(out)),
    )


def resource(out: Path) -> Object:
    """The FederatedLearning with its status.

    Raises:
        Refused: there is none, or it is not YAML.
    """
    if not out.is_dir():
        raise Refused(f"{out} is no folder; name the one that `fedspoke run` was given as --out")
    if not (out / STATUS_FILE).exists():
        raise Refused(f"{out} holds no {STATUS_FILE}; name the folder that `fedspoke run` was given as --out")
    return parse.document(out / STATUS_FILE)


def status(cr: Object) -> FederatedLearningStatus:
    """The resource's status; that of one nobody has acted on yet, if it has none.

    Raises:
        Refused: the status is none that fedspoke writes.
    """
    try:
        return FederatedLearningStatus.model_validate(cr.get("status") or {})
    except ValidationError as error:
        raise Refused(f"the status in {STATUS_FILE} cannot be understood: {_first(error)}") from None


def rounds(out: Path) -> tuple[RoundRecord, ...]:
    """The finished rounds. A last line without its end is still being written, and is left for the next look."""
    return _parse(out / "rounds.jsonl", _round_lines) or ()


def _profiles(out: Path) -> Iterator[Profile]:
    """A cluster's file holds one profile, or a list where it offers both platforms."""
    for path in sorted(out.glob("clusters/*/profile.json")):
        found = _parse(path, _PROFILES.validate_json)
        yield from (found,) if isinstance(found, Profile) else found or ()


def _round_lines(text: str) -> tuple[RoundRecord, ...]:
    complete, _, _ = text.rpartition("\n")
    return tuple(RoundRecord.model_validate_json(line) for line in complete.splitlines())


def _placement(text: str) -> Object:
    return _Placement.model_validate_json(text).model_dump(by_alias=True)


def _parse(path: Path, parse: Callable[[str], T]) -> T | None:
    """None where there is no such file."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} cannot be understood: it is no UTF-8 text") from None
    except ValidationError as error:
        raise Refused(f"{path} cannot be understood: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The first of pydantic's findings, in one line."""
    found = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else found["msg"]
