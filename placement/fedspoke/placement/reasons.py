"""Why a cluster was not chosen, in a person's words: not which of eight predicates failed, but what the cluster lacks."""

from collections.abc import Iterable, Sequence

from fedspoke.api.names import GPU_LABEL, GPUS_CLAIM, PLATFORMS, data_claim, platform_label
from fedspoke.api.placement_spec import Requirement
from fedspoke.placement.counts import AtLeast
from fedspoke.placement.predicates import Lack, Unmet, Untrue

_DATA = {key: platform for platform in PLATFORMS for key in (data_claim(platform), platform_label(platform))}
_GPU = (GPUS_CLAIM, GPU_LABEL)
_EMPTY = '""'


def why_not(missing: Sequence[Sequence[Lack]]) -> str:
    """One clause; `missing` holds, for each predicate, what the cluster lacks of it, and none is empty."""
    topics = [{_topic(lack) for lack in lacks} for lacks in missing]
    always = set.intersection(*topics)
    closest = min(len(topic) for topic in topics)
    near = [lack for lacks, topic in zip(missing, topics, strict=True) if len(topic) == closest for lack in lacks]
    lacking = {topic: [lack for lack in near if _topic(lack) == topic] for topic in dict.fromkeys(map(_topic, near))}
    if "data" in always:
        lacking.pop("posts", None)  # no data, so no posts: said once
    said = {topic: _said(topic, lacks) for topic, lacks in lacking.items()}
    common = [text for topic, text in said.items() if topic in always]
    return " and ".join(common) if common else " or ".join(said.values())


def _topic(lack: Lack) -> str:
    """A federation's own ways of declaring one thing are one topic; any other requirement is a topic of its own."""
    if isinstance(lack, Untrue):
        return f"cel {lack.expression}"
    if isinstance(lack.requirement, AtLeast):
        return "posts"
    key = lack.requirement.key
    match lack.of, lack.requirement.operator, lack.requirement.values:
        case ("claim", "Exists", _) | ("label", "In", ["true"]) if key in _DATA:
            return "data"
        case ("claim", "Exists", _) | ("label", "In", ["true"]) if key in _GPU:
            return "gpu"
        case "claim", "NotIn", smaller if key == GPUS_CLAIM and _is_all_below_a_count(smaller):
            return "gpu"
        case _:
            return f"{lack.of} {key}"


def _is_all_below_a_count(values: Sequence[str]) -> bool:
    """Whether it is `AtLeast.requirements` that excludes them."""
    return list(values) == [str(smaller) for smaller in range(len(values))]


def _said(topic: str, found: Sequence[Lack]) -> str:
    for lack in found:
        if isinstance(lack, Untrue):
            return f"`{lack.expression}` " + (f"failed: {lack.failed}" if lack.failed else "is false")
    lacks = [lack for lack in found if isinstance(lack, Unmet)]
    match topic:
        case "data":
            platforms = dict.fromkeys(_DATA[_key(lack)].capitalize() for lack in lacks)
            return f"declares no {_either(platforms)} data ({_details(lacks)})"
        case "posts":
            return f"declares too few posts ({_details(lacks)})"
        case "gpu":
            some = any(lack.of == "claim" and lack.found not in (None, "0") for lack in lacks)
            return f"declares {'too few GPUs' if some else 'no GPU'} ({_details(lacks)})"
        case _:
            return _details(lacks)


def _details(lacks: Sequence[Unmet]) -> str:
    """What is there and wrong; then what is absent, all of one sort together."""
    absent: dict[str, list[str]] = {}
    for lack in lacks:
        if lack.found is None:
            values = lack.requirement.values if isinstance(lack.requirement, Requirement) else []
            absent.setdefault(lack.of, []).append(_key(lack) + (f"={_values(values)}" if values else ""))
    wrong = [_wrong(lack) for lack in lacks if lack.found is not None]
    return ", ".join([*dict.fromkeys(wrong), *(f"no {sort} {_either(dict.fromkeys(keys))}" for sort, keys in absent.items())])


def _wrong(lack: Unmet) -> str:
    is_there = f"{lack.of} {_key(lack)} is {lack.found or _EMPTY}"
    match lack.requirement:
        case AtLeast(least=least):
            return f"{is_there}, not {least} or more"
        case Requirement(operator="In", values=values):
            return f"{is_there}, not {_values(values)}"
        case Requirement(operator="NotIn") if _topic(lack) != "gpu":  # of GPUs it is said that they are too few
            return f"{is_there}, which it must not be"
        case Requirement(operator="DoesNotExist"):
            return f"{is_there}, but must not be there"
    return is_there


def _key(lack: Unmet) -> str:
    return lack.requirement.claim if isinstance(lack.requirement, AtLeast) else lack.requirement.key


def _values(values: Iterable[str]) -> str:
    return _either(value or _EMPTY for value in values)


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)
