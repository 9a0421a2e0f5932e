"""Which volumes a federation may name as its model's: those that the cluster's owner has labelled for it. Any other claim of the
namespace may hold posts, such as those that were offered until yesterday.
"""

from collections.abc import Iterable

from fedspoke.api.base import Object
from fedspoke.api.names import MODEL, OFFERS, VOLUME


def models(claims: Iterable[Object]) -> frozenset[str]:
    """Of the volume claims of the namespace, those that an owner means, by name."""
    found = (it["metadata"] for it in claims)
    return frozenset(it["name"] for it in found if _means(it.get("labels") or {}) and not it.get("deletionTimestamp"))


def _means(labels: Object) -> bool:
    return labels.get(VOLUME) == MODEL and OFFERS not in labels
