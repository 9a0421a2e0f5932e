"""The fleet of a federation on one machine, described in files as a hub would describe it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from fedspoke.api import documents
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import MANAGED_CLUSTER, Platform, data_claim
from fedspoke.local import described
from fedspoke.placement import declared
from fedspoke.placement.evaluate import Decision, evaluate
from fedspoke.placement.fleet import Fleet
from fedspoke.placement.objects import bindings, placement
from fedspoke.placement.sets import SET_LABEL

_UNREACHABLE = {"key": "cluster.open-cluster-management.io/unreachable", "effect": "NoSelect"}


@dataclass(frozen=True, slots=True)
class Clusters:
    """What the files say, and by name the file that each cluster is from."""

    described: Fleet
    files: dict[str, Path]
    doubts: tuple[str, ...] = ()
    """What looks like a typo; a hub that is newer than this may have such a field."""

    def decision(self, fl: FederatedLearning, now: datetime) -> Decision:
        """Which clusters a federation chooses; the bindings that its controller would make are there."""
        asked = placement(fl)
        return evaluate(asked, self.fleet(asked, bindings(fl)), now)

    def fleet(self, placement: Object, bindings: Sequence[Object] = ()) -> Fleet:
        """The fleet that a hub would have for a Placement, with `bindings` made for it.

        Where no set and no binding is described, every cluster is in each set that the Placement may name. With one of
        them there are also the sets that every hub makes.
        """
        fleet = replace(self.described, clusters=tuple(_as_on_a_hub(cluster) for cluster in self.described.clusters))
        if fleet.sets or fleet.bindings:
            described = {declared.name(it) for it in fleet.sets}
            made = tuple(it for it in _OF_EVERY_HUB if declared.name(it) not in described)
            return replace(
                fleet,
                clusters=tuple(_in_a_set(cluster) for cluster in fleet.clusters),
                sets=(*fleet.sets, *made),
                bindings=(*fleet.bindings, *bindings),
            )
        names = (placement.get("spec") or {}).get("clusterSets") or ["global"]
        return replace(
            fleet,
            sets=tuple(_set_of_all(name) for name in names),
            bindings=tuple({"metadata": {"name": name, "namespace": declared.namespace(placement)}} for name in names),
        )

    def named(self, cluster: str) -> Object:
        """The ManagedCluster of that name."""
        return next(found for found in self.described.clusters if declared.name(found) == cluster)

    def declared(self, cluster: str, fl: FederatedLearning) -> dict[Platform, str]:
        """The datasets that a chosen cluster trains on, as its claims write their paths.

        Raises:
            Refused: a dataset is declared by a label alone, which names no path.
        """
        found = self.named(cluster)
        paths = declared.dataset_paths(found, fl)
        for platform in declared.platforms_of(found, fl):
            if platform not in paths:
                raise Refused(
                    f"cluster {cluster} in {self.files[cluster]} declares {platform} data by a label, which names no path: "
                    f"add the claim {data_claim(platform)}"
                )
        return paths

    def datasets(self, cluster: str, fl: FederatedLearning) -> dict[Platform, Path]:
        """The datasets that a chosen cluster trains on, as paths of this machine.

        Raises:
            Refused: a claimed path, relative to the cluster's file, is neither a folder nor a file; or as `declared`.
        """
        return {platform: self._dataset(cluster, platform, path) for platform, path in self.declared(cluster, fl).items()}

    def _dataset(self, cluster: str, platform: Platform, claimed: str) -> Path:
        path = (self.files[cluster].parent / claimed).resolve()
        if not (path.is_dir() or path.is_file()):
            raise Refused(
                f"the {platform} dataset of cluster {cluster} is not at {path}: "
                f"the claim in {self.files[cluster]} must hold the path of a folder or a zip, relative to that file"
            )
        return path


def read(folder: Path) -> Clusters:
    """The fleet that the YAML files of a folder describe, each file in one or several documents.

    Raises:
        Refused: there is no such folder or no cluster in it, a file is bad, or two objects have one name.
    """
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder; name one that holds ManagedClusters as YAML files")
    files: dict[tuple[str, str, str], Path] = {}
    found: dict[str, list[Object]] = defaultdict(list)
    others: set[str] = set()
    doubts: list[str] = []
    for path in _files(folder):
        for document in documents.read(path):
            if not _is_of_a_fleet(document, path):
                others.add(document["kind"])
                continue
            kind, name = document["kind"], declared.name(document)
            key = kind, document["metadata"].get("namespace") or "", name
            if key in files:
                what = "cluster" if kind == MANAGED_CLUSTER[1] else kind
                raise Refused(f"{what} {name} is described twice, in {files[key]} and in {path}; take one out")
            files[key] = path
            found[kind].append(document)
            doubts += (f"{path}: {doubt}" for doubt in described.doubts(document))
    if MANAGED_CLUSTER[1] not in found:
        kinds = " and ".join(sorted(others | found.keys()))
        raise Refused(f"{folder} holds no ManagedCluster{f', only {kinds}' if kinds else ''}; put one into a .yaml file there")
    fleet = Fleet(
        clusters=tuple(found[MANAGED_CLUSTER[1]]),
        sets=tuple(found["ManagedClusterSet"]),
        bindings=tuple(found["ManagedClusterSetBinding"]),
        scores=tuple(found["AddOnPlacementScore"]),
        decisions=tuple(found["PlacementDecision"]),
    )
    return Clusters(fleet, {name: path for (kind, _, name), path in files.items() if kind == MANAGED_CLUSTER[1]}, tuple(doubts))


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml", ".json"))


def _is_of_a_fleet(document: Object, path: Path) -> bool:
    try:
        return described.check(document)
    except Refused as refused:
        raise Refused(f"{path}: {refused}") from None


def _as_on_a_hub(cluster: Object) -> Object:
    """A cluster that the hub does not accept cannot report, so that a hub taints it; the placement itself never asks."""
    spec = cluster.get("spec") or {}
    if spec.get("hubAcceptsClient") is not False:
        return cluster
    return cluster | {"spec": spec | {"taints": [*(spec.get("taints") or []), _UNREACHABLE]}}


def _in_a_set(cluster: Object) -> Object:
    """OCM's webhook puts a cluster that is labelled with no set into the set `default`."""
    labels = declared.labels(cluster)
    if labels.get(SET_LABEL):
        return cluster
    return cluster | {"metadata": cluster["metadata"] | {"labels": labels | {SET_LABEL: "default"}}}


def _set_of_all(name: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"clusterSelector": {"selectorType": "LabelSelector", "labelSelector": {}}}}


_OF_EVERY_HUB = (
    _set_of_all("global"),
    {"metadata": {"name": "default"}, "spec": {"clusterSelector": {"selectorType": "ExclusiveClusterSetLabel"}}},
)
"""The ManagedClusterSets that OCM's registration makes, and makes again where one is deleted."""
