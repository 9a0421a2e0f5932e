"""How many GPUs a cluster has, and how many of them nothing is at work on: what its nodes have to give, less what pods ask for.

A node that is not ready, or takes no new pods, has none.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from fedspoke.api.base import Object
from fedspoke.api.names import is_gpu
from fedspoke.api.units import parse_quantity

_MODELS = ("nvidia.com/gpu.product", "amd.com/gpu.product-name")
"""Labels that each vendor's own labeller puts on nodes."""
_MOST = 100_000
"""GPUs of one node: a larger number is nobody's word."""
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """By resource name, as `nvidia.com/gpu` and `nvidia.com/mig-1g.5gb`."""

    allocatable: dict[str, int]
    free: dict[str, int]
    models: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All of them together, whole ones and parts alike, as a federation's request counts them."""
        return sum(self.allocatable.values())

    @property
    def unused(self) -> int:
        """Those of all kinds that no pod asks for."""
        return sum(self.free.values())


def gpus(nodes: Iterable[Object], pods: Iterable[Object]) -> Gpus:
    """What is there and what is free.

    Args:
        nodes: of the cluster; none of them is kept.
        pods: of all namespaces; they are not looked at where no node has a GPU.
    """
    given: dict[str, dict[str, int]] = {}
    models = set[str]()
    for it in nodes:
        if _takes_pods(it) and (amounts := _counted((it.get("status") or {}).get("allocatable") or {})):
            given[it["metadata"]["name"]] = amounts
            labels = it["metadata"].get("labels") or {}
            models.update(labels[key] for key in _MODELS if labels.get(key))
    taken: dict[str, Counter[str]] = {name: Counter() for name in given}
    for pod in pods if given else ():
        node = pod["spec"].get("nodeName")
        if node in taken and (pod.get("status") or {}).get("phase") not in _ENDED:
            taken[node].update(asked(pod))
    return Gpus(
        allocatable=dict(_sum(given.values())),
        # Node by node: one that was promised more than it has by now does not make another's fewer.
        free=dict(_sum(Counter(given[name]) - taken[name] for name in given)),
        models=tuple(sorted(models)),
    )


def asked(pod: Object) -> Counter[str]:
    """What of a node's GPUs one pod takes: as the scheduler counts, with sidecars, which are init containers that go on."""
    beside, peak = Counter[str](), Counter[str]()
    for it in pod["spec"].get("initContainers") or []:
        if it.get("restartPolicy") == "Always":
            beside += _requests(it)
        else:
            peak |= beside + _requests(it)
    return peak | sum((_requests(it) for it in pod["spec"].get("containers") or []), beside)


def _requests(container: Object) -> Counter[str]:
    resources = container.get("resources") or {}
    return Counter(_counted((resources.get("limits") or {}) | (resources.get("requests") or {})))


def _counted(amounts: Object) -> dict[str, int]:
    found = {name: _whole(amount) for name, amount in amounts.items() if is_gpu(name)}
    return {name: amount for name, amount in found.items() if amount}


def _whole(amount: str | int) -> int:
    """None where it is no number of GPUs."""
    try:
        number = parse_quantity(amount)
    except (ValueError, ArithmeticError):
        return 0
    return int(number) if Decimal(0) <= number <= _MOST else 0


def _sum(parts: Iterable[dict[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for each in parts:
        total.update(each)
    return total


def _takes_pods(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any((it["type"], it["status"]) == ("Ready", "True") for it in conditions)
    return ready and not (node.get("spec") or {}).get("unschedulable")
