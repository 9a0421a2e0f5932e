"""The managed clusters of a federation on one machine, described in files as a hub would describe them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fedspoke.api import documents, parse
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import MANAGED_CLUSTER, Platform, data_claim
from fedspoke.placement import declared
from fedspoke.placement.fleet import Fleet

# They change what a Placement decides, and no decision here takes them into account yet.
_NOT_YET = ("ManagedClusterSet", "ManagedClusterSetBinding", "PlacementDecision")


@dataclass(frozen=True, slots=True)
class Clusters:
    """ManagedClusters, by name the file that each is from, and documents of other kinds."""

    clusters: tuple[Object, ...]
    files: dict[str, Path]
    others: tuple[Object, ...] = ()

    def fleet(self, placement: Object) -> Fleet:
        """The fleet that a hub would have for this Placement."""
        return Fleet(clusters=self.clusters)

    def named(self, cluster: str) -> Object:
        """The ManagedCluster of that name."""
        return next(found for found in self.clusters if declared.name(found) == cluster)

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
        """The datasets that a chosen cluster trains on, as folders of this machine.

        Raises:
            Refused: a claimed path, relative to the cluster's file, is no folder; or as `declared`.
        """
        return {platform: self._folder(cluster, platform, path) for platform, path in self.declared(cluster, fl).items()}

    def _folder(self, cluster: str, platform: Platform, claimed: str) -> Path:
        folder = (self.files[cluster].parent / claimed).resolve()
        if not folder.is_dir():
            raise Refused(
                f"the {platform} dataset of cluster {cluster} is not at {folder}: "
                f"the claim in {self.files[cluster]} must hold the path of a folder, relative to that file"
            )
        return folder


def read(folder: Path) -> Clusters:
    """Every cluster that the YAML files of a folder describe, each file in one or several documents.

    Raises:
        Refused: there is no such folder or no cluster in it, a file is bad, or two clusters have one name.
    """
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder; name one that holds ManagedClusters as YAML files")
    found = [(path, document) for path in _files(folder) for document in documents.read(path)]
    clusters: dict[str, Object] = {}
    files: dict[str, Path] = {}
    for path, document in found:
        if document["kind"] in _NOT_YET:
            raise Refused(f"{path} holds a {document['kind']}, which is not evaluated here yet: without it, every cluster counts")
        if document["kind"] == MANAGED_CLUSTER[1]:
            name = _name(document, path)
            if name in clusters:
                raise Refused(f"cluster {name} is described twice, in {files[name]} and in {path}; take one out")
            clusters[name], files[name] = document, path
    if not clusters:
        raise Refused(f"{folder} holds no ManagedCluster; put one into a .yaml file there")
    others = tuple(document for _, document in found if document["kind"] != MANAGED_CLUSTER[1])
    return Clusters(clusters=tuple(clusters.values()), files=files, others=others)


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml", ".json"))


def _name(document: Object, path: Path) -> str:
    try:
        return parse.managed_cluster(document).metadata.name
    except Refused as refused:
        raise Refused(f"{path}: {refused}") from None
