"""What a cluster's owner allows: a ConfigMap beside the data.

Where there is none, any federation of the hub may use what is offered; one that cannot be understood allows nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import get_args

from fedspoke.api.curation import Curation
from fedspoke.api.errors import Refused
from fedspoke.api.names import ADDON, Platform
from fedspoke.api.training import AdapterPrivacy, Profiles

POLICY = f"{ADDON}-policy"
"""The ConfigMap."""

_MOST_DELTA = 1e-3
"""Where an owner bounds epsilon: it is no promise where it may well not hold."""

_KEYS = ("federations", "platforms", "images", "minNoiseMultiplier", "maxProfileEpsilon", "curationEndpoints")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """None where nothing is said, which allows anything; an empty list allows nothing."""

    federations: tuple[str, ...] | None = None
    """Patterns of `namespace/name`, with `*` and `?`."""
    platforms: tuple[str, ...] | None = None
    images: tuple[str, ...] | None = None
    """Whole names, or, where they end in `/`, `:` or `@`, beginnings."""
    min_noise_multiplier: float = 0
    max_profile_epsilon: float | None = None
    curation_endpoints: tuple[str, ...] = ()
    """Patterns of addresses to which posts may be handed, with `*` and `?`: none where nothing is said."""

    def shares(self, platform: Platform) -> bool:
        """Whether a platform's data may be used, and known of, at all."""
        return self.platforms is None or platform in self.platforms

    def forbids(self, run: str, platforms: Collection[str], images: Collection[str]) -> str:
        """Why a federation may not run here; empty if it may."""
        federation = "/".join(run.split(".", 1))
        if self.federations is not None and not any(fnmatchcase(federation, it) for it in self.federations):
            return f"{federation} is none of the federations that it names"
        for platform in platforms:
            if self.platforms is not None and platform not in self.platforms:
                return f"data of {platform} is not shared"
        for image in images:
            if self.images is not None and not any(_begins(image, it) for it in self.images):
                return f"{image} is none of the images that it names"
        return ""

    def too_little_noise(self, adapters: AdapterPrivacy, profiles: Profiles) -> str:
        """Why what would leave the cluster tells more than it may; empty if it does not."""
        noise = adapters.noise_multiplier if adapters.mechanism == "gaussian" else 0.0
        if noise < self.min_noise_multiplier:
            return f"noise on adapters must be {self.min_noise_multiplier:g} or more, and privacy.adapters has {noise:g}"
        most = self.max_profile_epsilon
        if most is not None and profiles.enabled and (profiles.epsilon is None or profiles.epsilon > most):
            has = "no noise" if profiles.epsilon is None else f"an epsilon of {profiles.epsilon:g}"
            return f"the epsilon of a profile must be {most:g} or less, and profiles has {has}"
        if most is not None and profiles.enabled and profiles.delta > _MOST_DELTA:
            return f"the delta of a profile must be {_MOST_DELTA:g} or less, and profiles has {profiles.delta:g}"
        return ""

    def hands_out(self, curation: Curation | None) -> str:
        """Why posts may not be judged as it is asked for; empty if they may, or if none are."""
        if curation is None:
            return ""
        where = f"client.curation would hand its posts to {curation.endpoint}"
        if not curation.in_cluster:  # where the gateway to the hub listens, too
            return f"{where}, which is no Service of this cluster"
        if any(fnmatchcase(curation.endpoint, it) for it in self.curation_endpoints):
            return ""
        return f"{where}: to allow it, add that address to curationEndpoints in the ConfigMap {POLICY}"


def policy(data: Mapping[str, str] | None) -> Policy:
    """The owner's, from a ConfigMap's data; lists are words.

    Raises:
        Refused: it says what we do not understand, in one sentence.
    """
    said = data or {}
    for key in said:
        if key not in _KEYS:
            raise Refused(f"it has the key {key[:100]!r}, which must be one of {', '.join(_KEYS)}")
    lists = {key: tuple(said[key].split()) for key in ("federations", "platforms", "images", "curationEndpoints") if key in said}
    for platform in lists.get("platforms", ()):
        if platform not in get_args(Platform):
            raise Refused(f"platforms must be of {', '.join(get_args(Platform))}, and there is {platform[:100]!r}")
    return Policy(
        federations=lists.get("federations"),
        platforms=lists.get("platforms"),
        images=lists.get("images"),
        min_noise_multiplier=_number(said, "minNoiseMultiplier") or 0.0,
        max_profile_epsilon=_number(said, "maxProfileEpsilon"),
        curation_endpoints=lists.get("curationEndpoints", ()),
    )


def _number(said: Mapping[str, str], key: str) -> float | None:
    if key not in said:
        return None
    try:
        number = float(said[key])
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise Refused(f"{key} must be a number like 1.0, and is {said[key][:100]!r}")
    return number


def _begins(image: str, allowed: str) -> bool:
    # A name that merely begins alike may be anybody's: registry.example.com is not registry.example.com.evil.org.
    return image == allowed or (allowed.endswith(("/", ":", "@")) and image.startswith(allowed))
