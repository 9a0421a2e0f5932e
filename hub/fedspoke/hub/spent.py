"""What the noised adapters that left a cluster may tell of its posts: the account that status and report show.

The unit is a whole cluster. Two data sets of one cluster, however different, give clipped updates that are at most 2·clip apart,
and the noise on each has a standard deviation of noiseMultiplier·clip: so one release has mu = 2 / noiseMultiplier.
Only adapters are counted: how many posts a cluster has, and its losses, are told as they are.
"""

from collections import Counter

from fedspoke.api import noise
from fedspoke.api.status import SpentPrivacy
from fedspoke.api.training import AdapterPrivacy
from fedspoke.hub.observed import Observed

UNIT = "all posts of one cluster"


def releases(seen: Observed) -> int:
    """Adapters of the cluster that sent most of them.

    A cluster counts its own, also those that the hub never used; those that it used the hub has counted itself.
    """
    said = [seen.cluster(name).releases for name in seen.chosen]
    said += [part.releases for record in seen.rounds for part in record.clusters.values()]
    used = Counter(name for record in seen.rounds for name in record.clusters)
    return max([0, *said, *used.values()])


def spent(privacy: AdapterPrivacy, count: int) -> SpentPrivacy | None:
    """The privacy loss of so many releases together; None where nothing is noised."""
    if privacy.mechanism == "none":
        return None
    mu = noise.together([2 / privacy.noise_multiplier] * count)
    return SpentPrivacy(epsilon=noise.epsilon(privacy.delta, mu), delta=privacy.delta, releases=count, unit=UNIT)
