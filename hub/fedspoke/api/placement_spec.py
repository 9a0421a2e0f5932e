"""OCM's PlacementSpec (cluster.open-cluster-management.io/v1beta1, as of OCM 1.3): which managed clusters take part.

The community's CRD still has the PlacementSpec of OCM 0.15, so its API server drops celSelector, sortBy and scoreRateLimit
without a word; here they are known. An operator or mode that there is none of is left to OCM, as its own CRD leaves it: the
Placement is then misconfigured. What a field means is OCM's documentation, not repeated here in full. Absent objects
and lists stay absent (default factories, which the CRD does not show): a Placement is made of what the user wrote.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from fedspoke.api.base import Api

_COUNT_OR_PERCENTAGE = r"^((100|[1-9][0-9]{0,1})%|[1-9][0-9]*)$"
_LABEL_KEY = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"


def _count_or_percentage(value: Any) -> Any:
    # As on the API server, where a pattern binds only texts.
    if isinstance(value, bool) or not (isinstance(value, int) or re.fullmatch(_COUNT_OR_PERCENTAGE, str(value))):
        raise ValueError("must be a number or a percentage like 20%")
    return value


def _int64(value: int) -> int:
    # As on the API server, which reads a number of this format, and no larger one.
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"must be from {-(2**63)} to {2**63 - 1}")
    return value


CountOrPercentage = Annotated[
    Any,
    BeforeValidator(_count_or_percentage),
    WithJsonSchema({"pattern": _COUNT_OR_PERCENTAGE, "x-kubernetes-int-or-string": True}),
]


class Requirement(Api):
    """One condition on a label or a claim."""

    key: str = Field(description="Name of the label or claim.")
    operator: str = Field(description="How the value relates to values: In, NotIn, Exists or DoesNotExist.")
    values: list[str] = Field(
        default_factory=list, description="For In and NotIn: at least one; for Exists and DoesNotExist: none."
    )


class LabelSelector(Api):
    """Labels that a cluster must have; all must hold."""

    match_labels: dict[str, str] = Field(default_factory=dict, description="Labels with exactly these values.")
    match_expressions: list[Requirement] = Field(default_factory=list, description="Conditions on labels.")


class ClaimSelector(Api):
    """Claims (status.clusterClaims) that a cluster must have; all must hold."""

    match_expressions: list[Requirement] = Field(default_factory=list, description="Conditions on claims.")


class CelSelector(Api):
    """CEL over the variable managedCluster; all must be true."""

    cel_expressions: list[str] = Field(default_factory=list, description="Expressions that yield a bool.")


class GroupClusterSelector(Api):
    """Which chosen clusters form a group."""

    label_selector: LabelSelector = Field(default_factory=LabelSelector, description="By labels.")
    claim_selector: ClaimSelector = Field(default_factory=ClaimSelector, description="By claims.")


class ClusterSelector(GroupClusterSelector):
    """What a cluster must be like; the selectors are ANDed."""

    cel_selector: CelSelector = Field(default_factory=CelSelector, description="By CEL expressions.")


class Predicate(Api):
    """One way of qualifying."""

    required_cluster_selector: ClusterSelector = Field(
        default_factory=ClusterSelector, description="What a cluster must be like."
    )


class AddOnScore(Api):
    """A score that an add-on reports in an AddOnPlacementScore."""

    resource_name: str = Field(description="Name of the AddOnPlacementScore.")
    score_name: str = Field(description="Name of the score in it.")


class ScoreCoordinate(Api):
    """Where a score comes from."""

    type: Literal["BuiltIn", "AddOn"] = Field("BuiltIn", description="Who gives the score.")
    built_in: str | None = Field(None, description="Balance, Steady, ResourceAllocatableCPU or ResourceAllocatableMemory.")
    add_on: AddOnScore | None = Field(None, description="The add-on's score.")


class PrioritizerConfig(Api):
    """One score and its weight."""

    score_coordinate: ScoreCoordinate = Field(description="Where the score comes from.")
    weight: Annotated[int, Field(ge=-10, le=10)] = Field(1, description="What the score is multiplied by in the sum.")


class PrioritizerPolicy(Api):
    """How clusters that qualify are ranked."""

    mode: str = Field("Additive", description="Additive adds to the default scores (Balance, Steady); Exact replaces them.")
    configurations: list[PrioritizerConfig] = Field(default_factory=list, description="The scores.")


class SpreadConstraint(Api):
    """How evenly clusters are spread over a topology."""

    topology_key: Annotated[str, Field(max_length=316, pattern=_LABEL_KEY)] = Field(description="A label key or a claim's name.")
    topology_key_type: Literal["Label", "Claim"] = Field(description="Which of the two it is.")
    max_skew: Annotated[int, Field(ge=1)] = Field(1, description="The largest difference that is allowed.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        "ScheduleAnyway", description="What happens where it cannot be met."
    )


class SpreadPolicy(Api):
    """How clusters are spread."""

    spread_constraints: Annotated[list[SpreadConstraint], Field(max_length=8)] = Field(
        default_factory=list, description="The most important first."
    )


class TaintToleration(Api):
    """A taint of a managed cluster that does not keep it out."""

    key: Annotated[str, Field(max_length=316, pattern=_LABEL_KEY)] | None = Field(
        None, description="The taint's key; every key if not given."
    )
    operator: str = Field("Equal", description="Equal, or Exists, which matches every value.")
    value: Annotated[str, Field(max_length=1024)] | None = Field(None, description="The taint's value, for Equal.")
    effect: Literal["NoSelect", "PreferNoSelect", "NoSelectIfNew"] | None = Field(
        None, description="The taint's effect; every effect if not given."
    )
    toleration_seconds: Annotated[int, AfterValidator(_int64)] | None = Field(
        None, description="For how long after the taint was added."
    )


class DecisionGroup(Api):
    """A named group of chosen clusters."""

    group_name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][-A-Za-z0-9_.]{0,61}[a-zA-Z0-9]$")] = Field(
        description="Label value on the group's PlacementDecisions."
    )
    group_cluster_selector: GroupClusterSelector = Field(description="Which clusters are in it.")


class GroupStrategy(Api):
    """How the chosen clusters are divided."""

    decision_groups: list[DecisionGroup] = Field(default_factory=list, description="Named groups, filled first.")
    clusters_per_decision_group: CountOrPercentage = Field("100%", description="A number or a percentage.")


class DecisionStrategy(Api):
    """How the decision is written down."""

    group_strategy: GroupStrategy = Field(default_factory=GroupStrategy, description="Groups of clusters.")


class PlacementSpec(Api):
    """Which managed clusters qualify, how they are ranked and how many are taken."""

    cluster_sets: list[str] = Field(default_factory=list, description="Only clusters of these sets; of every bound set if empty.")
    number_of_clusters: int | None = Field(None, description="How many are taken; all that qualify if not given.")
    predicates: list[Predicate] = Field(
        default_factory=list, description="Ways of qualifying; any one suffices, and none means every cluster."
    )
    prioritizer_policy: PrioritizerPolicy = Field(
        default_factory=PrioritizerPolicy, description="How those that qualify are ranked."
    )
    spread_policy: SpreadPolicy = Field(default_factory=SpreadPolicy, description="How the chosen ones are spread.")
    tolerations: list[TaintToleration] = Field(default_factory=list, description="Taints that do not keep a cluster out.")
    decision_strategy: DecisionStrategy = Field(default_factory=DecisionStrategy, description="Groups in the decision.")
    sort_by: Literal["ClusterName", "Score"] = Field("ClusterName", description="Order of the decisions.")
    score_rate_limit: Annotated[str, Field(pattern=r"^[0-9]+[hms]$")] = Field(
        "1m", description="How often at most scores are updated that do not change the choice."
    )
