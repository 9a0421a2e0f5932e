"""What the noised adapters that left a cluster may tell of its posts: the account that status and report show.

The unit is a whole cluster. Two data sets of one cluster, however different, give clipped updates that are at most 2·clip apart,
and the noise on each has a standard deviation of noiseMultiplier·clip: so one release has mu = 2 / noiseMultiplier.
Only adapters are counted: how many posts a cluster has, and its losses, are told as they are.
"""

import math
from collections.abc import Mapping

from fedspoke.api import noise
from fedspoke.api.status import SpentPrivacy
from fedspoke.api.training import AdapterPrivacy

UNIT = "all posts of one cluster"


def spent(privacy: AdapterPrivacy, releases: Mapping[str, int]) -> SpentPrivacy | None:
    """The privacy loss of all that the cluster with most releases has released; None where nothing is noised."""
    if privacy.mechanism == "none":
        return None
    count = max(releases.values(), default=0)
    mu = 2 / privacy.noise_multiplier * math.sqrt(count)  # `noise.composed` of equal ones, of which a cluster may claim a billion
    return SpentPrivacy(epsilon=noise.epsilon(privacy.delta, mu), delta=privacy.delta, releases=count, unit=UNIT)
