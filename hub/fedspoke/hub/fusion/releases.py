"""releases.json: which profiles each cluster has released here. What they may tell together grows with each: one whose noise was
drawn anew is another one.

A cluster keeps a ledger of its own, which may be lost with its pod; then it says less than what was spent, and this account
stands. Where the cluster says more, as of a run whose volume is gone, its word stands.
"""

import hashlib
import json
from pathlib import Path

from pydantic import RootModel, ValidationError

from fedspoke.api import files
from fedspoke.api.errors import Failed
from fedspoke.api.noise import composed, epsilon, sigma
from fedspoke.api.profiles import Noise, Profile
from fedspoke.api.records import Digest, Record, cause

FILE = "releases.json"


class Release(Record):
    """One profile, without what it says."""

    digest: Digest
    epsilon: float | None
    """None: it had no noise."""
    delta: float | None


class _File(RootModel[dict[str, tuple[Release, ...]]]):
    """By cluster and platform."""


class Releases:
    """Of one run."""

    def __init__(self, folder: Path) -> None:
        """What was released before.

        Raises:
            Failed: the file cannot be read; to begin at 0 again would hide what was spent.
        """
        self._file = folder / FILE
        try:
            self._known = _File.model_validate_json(self._file.read_text()).root
        except FileNotFoundError:
            self._known = {}
        except ValidationError as error:
            raise Failed(
                f"{self._file} is no account of profiles ({cause(error)}); restore it, as it says what was spent"
            ) from None

    def counted(self, profile: Profile) -> Profile:
        """The profile, with what it and those before it have spent; it is on the account before it is of any use."""
        key = f"{profile.cluster}.{profile.platform}"
        asked = profile.noise
        this = Release(digest=_digest(profile), epsilon=asked and asked.epsilon, delta=asked and asked.delta)
        known = self._known.get(key, ())
        if this.digest not in {each.digest for each in known}:
            known = (*known, this)
            self._known = self._known | {key: known}
            files.replace(self._file, _File(self._known).model_dump_json(by_alias=True).encode(), 0o600)
        if asked is None:
            return profile
        told = {"releases": max(asked.releases, len(known)), "spent_epsilon": _spent(asked, known)}
        return profile.model_copy(update={"noise": asked.model_copy(update=told)})


def _spent(asked: Noise, known: tuple[Release, ...]) -> float | None:
    """Of all releases together, at this one's delta; None where one of them had no noise, by whosever word."""
    if asked.spent_epsilon is None or len(known) == 1:
        return asked.spent_epsilon
    mus = []
    for each in known:
        if each.epsilon is None or each.delta is None:
            return None
        mus.append(1 / sigma(each.epsilon, each.delta, 1))
    return max(asked.spent_epsilon, epsilon(asked.delta, composed(mus)))


def _digest(profile: Profile) -> Digest:
    shared = profile.model_dump(mode="json", include={"embedding", "visual", "topics"})
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()
