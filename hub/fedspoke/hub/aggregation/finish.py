"""The end of a federation: what the clusters' last answers are worth, decided from plain values."""

from collections.abc import Mapping
from dataclasses import dataclass

from fedspoke.api.profiles import GeneralProfile
from fedspoke.api.records import Finished, HeldOut, Prepared, Trained
from fedspoke.hub.aggregation import means, rounds
from fedspoke.hub.aggregation.asking import Asking


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the final adapter's evaluation and of the profiles."""

    finished: Mapping[str, Finished]
    lost: Mapping[str, str]
    """Cluster → why there is no answer of it that counts."""

    @classmethod
    def of(cls, asking: Asking) -> "Outcome":
        """As of now."""
        finished = {name: answer for name, answer in asking.answers.items() if isinstance(answer, Finished)}
        return cls(finished, {name: lost.reason for name, lost in asking.lost.items()})

    @property
    def held_out(self) -> HeldOut | None:
        """Loss of the base model and of the final adapter, over all clusters."""
        return means.overall(answer.held_out for answer in self.finished.values())

    @property
    def shared(self) -> bool:
        """Whether there is any profile to fuse."""
        return any(answer.shared for answer in self.finished.values())

    @property
    def unshared(self) -> str:
        """Why there is no profile: the clusters keep theirs to themselves, or are lost."""
        return rounds.reasons({name: _kept(answer) for name, answer in self.finished.items()} | dict(self.lost))

    def unwell(self, away: Mapping[str, str]) -> str:
        """What a person should know of a federation that is completed all the same; empty if there is nothing.

        Args:
            away: Clusters that could not be asked, and why.
        """
        found, lost = self.held_out, {**away, **self.lost}
        said = [f"not finished: {rounds.reasons(lost)}"] if lost else []
        if found and found.after > found.before:
            said.append(f"on posts held out it is worse than the base model: loss {found.after:.4g} against {found.before:.4g}")
        return "; ".join(said)

    def told(self, cluster: str) -> dict[str, object]:
        """How a cluster stands, in the fields of `ClusterProgress`; nothing of one that is awaited."""
        if answer := self.finished.get(cluster):
            return {"phase": "Finished", "reason": _kept(answer)}
        return {"phase": "Failed", "reason": self.lost[cluster]} if cluster in self.lost else {}


def refusal(posts: int, answer: Prepared | Trained | Finished) -> str | None:
    """Why a cluster's last answer does not count; None if it does.

    Args:
        posts: How many the cluster said it has, when it was ready.
        answer: What its node said.
    """
    if not isinstance(answer, Finished):
        return f"it answered an order to finish with {type(answer).__name__}"
    return rounds.unlikely(posts, answer.held_out)


def left_out(profile: bytes) -> str:
    """Which profiles the general one is made without; empty if it is made of all."""
    left = GeneralProfile.model_validate_json(profile).left_out
    return f"left out of the general profile: {rounds.reasons(left)}" if left else ""


def _kept(answer: Finished) -> str:
    return "; ".join(f"{platform}: {why}" for platform, why in answer.refused.items())
