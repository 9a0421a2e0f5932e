"""A ManagedCluster as OCM's CEL sees it: not as it was written, but as OCM's typed client reads it and gives it back.

Unknown fields and what is empty are gone, what the type always has is there, and quantities are written canonically.

Source: the ManagedCluster type of open-cluster-management.io/api, cluster/v1, and its JSON tags.
"""

import re
from collections.abc import Callable, Iterable
from decimal import ROUND_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.units import parse_quantity

_PLAIN = re.compile(r"\.(metadata|spec|status)\.([A-Za-z]\w*)\b(?!\s*\()|(\.scores)\(")
_LEASE_SECONDS = 60  # the CRD's default
_DECIMAL = dict(zip(range(-9, 21, 3), ("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), strict=True))
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def fields_of(expression: str) -> frozenset[str]:
    """The fields, like `status.clusterClaims`, that a CEL expression can look at; its literals and comments are blank.

    That is every field if it takes `managedCluster` otherwise than by the names of fields.
    """
    after = [_PLAIN.match(expression, found.end()) for found in re.finditer(r"\bmanagedCluster\b", expression)]
    named = {"metadata.name" if found[3] else f"{found[1]}.{found[2]}" for found in after if found}
    return frozenset(named & _FIELDS.keys() if all(after) else _FIELDS)


def as_read(cluster: Object, fields: Iterable[str] | None = None) -> Object:
    """The value of CEL's variable managedCluster, with no more than the given fields; the cluster itself is not changed."""
    found: Object = {"metadata": {}, "spec": {}, "status": {}}
    for field in _FIELDS if fields is None else fields:
        section, _, name = field.rpartition(".")
        always, read = _FIELDS[field]
        value = read((cluster.get(section) or {} if section else cluster).get(name))
        if always or value:
            (found[section] if section else found)[name] = value
    return found


def _filled(found: Object, *keys: str) -> Object:
    return {key: value for key in keys if (value := found.get(key))}


def _claims(claims: list[Object] | None) -> list[Object]:
    return [it if len(it) == 2 and it.get("name") and it.get("value") else _filled(it, "name", "value") for it in claims or ()]


def _taints(taints: list[Object] | None) -> list[Object]:
    always = {"key": "", "effect": "", "timeAdded": None}
    return [always | _filled(it, "key", "value", "effect", "timeAdded") for it in taints or ()]


def _conditions(conditions: list[Object] | None) -> list[Object] | None:
    always = {"type": "", "status": "", "lastTransitionTime": None, "reason": "", "message": ""}
    return None if conditions is None else [always | _filled(it, *always, "observedGeneration") for it in conditions]


def _quantities(amounts: dict[str, Any] | None) -> dict[str, str]:
    return {name: _canonical(str(amount)) for name, amount in (amounts or {}).items()}


@lru_cache(maxsize=4096)
def _canonical(quantity: str) -> str:
    """With the largest suffix, of the quantity's own family, that leaves a whole number."""
    with localcontext(prec=100):
        try:
            value = parse_quantity(quantity).quantize(Decimal("1e-9"), rounding=ROUND_UP)
        except ArithmeticError:
            raise Refused(f"the amount {quantity} of a ManagedCluster is too large to be read; write one below 1e90") from None
        if quantity.endswith("i") and abs(value) >= 1024:
            whole, power = int(value.to_integral_value(rounding=ROUND_UP)), 0
            while not whole % 1024 and power < len(_BINARY) - 1:
                whole, power = whole // 1024, power + 1
            return f"{whole}{_BINARY[power]}"
        exponent = max((it for it in _DECIMAL if value == value.quantize(Decimal(1).scaleb(it))), default=0) if value else 0
        suffix = (
            f"e{exponent}" if exponent and any(it in quantity for it in "eE") and quantity[-1].isdecimal() else _DECIMAL[exponent]
        )
        return f"{int(value.scaleb(-exponent))}{suffix}"


def _same(value: Any) -> Any:
    return value


_METADATA = (
    "name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp "
    "deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields"
)
_FIELDS: dict[str, tuple[bool, Callable[[Any], Any]]] = {
    "apiVersion": (False, _same),
    "kind": (False, _same),
    **{f"metadata.{name}": (False, _same) for name in _METADATA.split()},
    "spec.managedClusterClientConfigs": (False, _same),
    "spec.hubAcceptsClient": (True, bool),
    "spec.leaseDurationSeconds": (False, lambda seconds: _LEASE_SECONDS if seconds is None else seconds),
    "spec.taints": (False, _taints),
    "status.conditions": (True, _conditions),
    "status.capacity": (False, _quantities),
    "status.allocatable": (False, _quantities),
    "status.version": (True, lambda version: _filled(version or {}, "kubernetes")),
    "status.clusterClaims": (False, _claims),
    "status.managedNamespaces": (False, _same),
}
"""Whether a field is there even if it is empty, and how it is read."""
