"""How the clusters' adapters become one, and when there have been rounds enough."""

import math
from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.base import Api, Rule

SUMS: tuple[str, ...] = ("fedavg", "fedprox", "fedadam", "fedyogi")
"""Strategies that need only the sum of the updates, so that no single one is ever seen."""

_ADAPTIVE = ["learningRate", "beta1", "beta2", "tau"]
OPTIONS: dict[str, list[str]] = {
    "fedavg": [],
    "fedprox": ["mu"],
    "fedadam": _ADAPTIVE,
    "fedyogi": _ADAPTIVE,
    "fedmedian": [],
    "trimmedmean": ["beta"],
    "krum": ["malicious"],
    "multikrum": ["malicious", "select"],
    "bulyan": ["malicious"],
}
"""Strategy → the numbers that it takes."""


MALICIOUS, BETA = 1, 0.2
"""How many clusters may lie, and what share a trimmed mean cuts off at each end, where the options do not say."""


class Aggregation(Api):
    """How the clusters' adapters become one."""

    strategy: Literal["fedavg", "fedprox", "fedadam", "fedyogi", "fedmedian", "trimmedmean", "krum", "multikrum", "bulyan"] = (
        Field("fedavg", description="How the updates are weighed and combined.")
    )
    lora: Literal["average", "svd", "ffa"] = Field(
        "average",
        description="average: A and B each by their mean; svd: the best rank-r factors of the mean of B·A; ffa: A never changes.",
    )
    options: dict[str, float] = Field(
        default_factory=dict,
        max_length=8,
        description="The strategy's own numbers. fedprox: mu; fedadam, fedyogi: learningRate, beta1, beta2, tau; trimmedmean: "
        "beta, the share cut off at each end; krum, multikrum, bulyan: malicious, how many clusters may lie; multikrum: select.",
    )

    rules = (
        Rule(
            field="options",
            message="must be the strategy's own: "
            + "; ".join(f"{name}: {', '.join(takes) or 'none'}" for name, takes in OPTIONS.items()),
            cel=f"!has(self.options) || self.options.all(name, name in {OPTIONS}[self.strategy])",
            holds=lambda it: it.options.keys() <= set(OPTIONS[it.strategy]),
        ),
        Rule(
            field="options",
            message="must be in range: mu 0 or more, learningRate and tau greater than 0, beta1 and beta2 at least 0 and less "
            "than 1, beta at least 0 and less than 0.5, malicious a whole number from 0, select a whole number from 1",
            cel="!has(self.options) || self.options.all(name, name in ['learningRate', 'tau'] ? self.options[name] > 0.0 : "
            "name in ['beta1', 'beta2'] ? self.options[name] >= 0.0 && self.options[name] < 1.0 : "
            "name == 'beta' ? self.options[name] >= 0.0 && self.options[name] < 0.5 : "
            "name == 'malicious' ? self.options[name] >= 0.0 && double(int(self.options[name])) == self.options[name] : "
            "name == 'select' ? self.options[name] >= 1.0 && double(int(self.options[name])) == self.options[name] : "
            "self.options[name] >= 0.0)",
            holds=lambda it: all(_in_range(name, value) for name, value in it.options.items()),
        ),
        Rule(
            field="lora",
            message="can be svd only with the strategies fedavg and fedprox: the others work on each number of A and B, "
            "of which svd makes new ones",
            cel="self.lora != 'svd' || self.strategy in ['fedavg', 'fedprox']",
            holds=lambda it: it.lora != "svd" or it.strategy in ("fedavg", "fedprox"),
        ),
    )

    @property
    def malicious(self) -> int:
        """How many clusters may lie."""
        return int(self.options.get("malicious", MALICIOUS))

    @property
    def responses(self) -> int:
        """How many clusters' updates the strategy needs at least, so that liars cannot decide.

        A median of two is their mean; a trimmed mean must cut off one at each end; Krum: arXiv 1703.02757; Bulyan: 1802.07927.
        """
        match self.strategy:
            case "fedmedian":
                return 3
            case "trimmedmean":
                beta = self.options.get("beta", BETA)
                return math.ceil(1 / beta) if beta else 1
            case "krum":
                return 2 * self.malicious + 3
            case "multikrum":
                return max(2 * self.malicious + 3, int(self.options.get("select", 1)) + self.malicious + 2)
            case "bulyan":
                return 4 * self.malicious + 3
            case _:
                return 1


def _in_range(name: str, value: float) -> bool:
    match name:
        case "learningRate" | "tau":
            return value > 0
        case "beta1" | "beta2":
            return 0 <= value < 1
        case "beta":
            return 0 <= value < 0.5
        case "malicious":
            return value >= 0 and value == int(value)
        case "select":
            return value >= 1 and value == int(value)
        case _:
            return value >= 0


class Convergence(Api):
    """Stop before the last round once the metric no longer improves."""

    metric: Literal["loss"] = Field("loss", description="What is watched.")
    min_delta: Annotated[float, Field(ge=0)] = Field(0.01, description="An improvement smaller than this counts as none.")
    patience: Annotated[int, Field(ge=1)] = Field(2, description="Rounds without improvement before it stops.")
    method: Literal["any", "all"] = Field("all", description="Whether any one cluster or all of them must have converged.")
