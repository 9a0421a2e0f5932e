"""Why a cluster was not chosen, in a person's words: not which of eight predicates failed, but what the cluster lacks."""

from collections.abc import Iterable, Sequence

from fedspoke.api.names import GPU_LABEL, GPUS_CLAIM, PLATFORMS, data_claim, platform_label
from fedspoke.api.placement_spec import Requirement
from fedspoke.placement.counts import AtLeast
from fedspoke.placement.predicates import Lack, Unmet, Untrue

_DATA = {key: platform for platform in PLATFORMS for key in (data_claim(platform), platform_label(platform))}
_GPU = (GPUS_CLAIM, GPU_LABEL)


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
    """Ways of declaring one thing are one topic; any other requirement is a topic of its own."""
    if isinstance(lack, Untrue):
        return f"cel {lack.expression}"
    if isinstance(lack.requirement, AtLeast):
        return "posts"
    match lack.of, _key(lack), lack.requirement.operator:
        case ("claim", key, "Exists") | ("label", key, "In") if key in _DATA:
            return "data"
        case ("claim", key, "Exists" | "NotIn") | ("label", key, "In") if key in _GPU:
            return "gpu"
        case of, key, _:
            return f"{of} {key}"


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
            absent.setdefault(lack.of, []).append(_key(lack) + (f"={_either(values)}" if values else ""))
    wrong = [_wrong(lack) for lack in lacks if lack.found is not None]
    return ", ".join([*dict.fromkeys(wrong), *(f"no {sort} {_either(dict.fromkeys(keys))}" for sort, keys in absent.items())])


def _wrong(lack: Unmet) -> str:
    requirement, is_there = lack.requirement, f"{lack.of} {_key(lack)} is {lack.found}"
    if isinstance(requirement, AtLeast):
        return f"{is_there}, not {requirement.least} or more"
    if requirement.operator == "In":
        return f"{is_there}, not {_either(requirement.values)}"
    return is_there


def _key(lack: Unmet) -> str:
    return lack.requirement.claim if isinstance(lack.requirement, AtLeast) else lack.requirement.key


def _either(words: Iterable[str]) -> str:
    return " or ".join(words)
