"""One federation on this machine, to Completed or Failed.

The hub's decisions, certificates, gateways, aggregator and collaborators are the real ones; what a cluster would do with the
objects (mount a volume, start a container, renew a certificate) is done here with folders and processes.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fedspoke.api import parse
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import FederatedLearning, FederatedLearningStatus, ListenerStatus
from fedspoke.api.names import Platform, server_name
from fedspoke.api.status import ENDED
from fedspoke.hub.aggregator_workload import Place as HubPlace
from fedspoke.hub.observed import Observed, unplaced
from fedspoke.hub.reconcile import Site, wanted
from fedspoke.hub.status import begun, status
from fedspoke.hub.unsupported import unsupported
from fedspoke.local import outcome, ports, report
from fedspoke.local.certificates import Certificates, authority
from fedspoke.local.clusters import Clusters, read
from fedspoke.local.folder import Folder, write
from fedspoke.local.kubelet import HUB, Kubelet
from fedspoke.local.observe import kept, observe
from fedspoke.local.processes import Machine, machine
from fedspoke.manifestworks.collaborator import Hub, Spoke
from fedspoke.manifestworks.collaborator import Place as SpokePlace
from fedspoke.placement.evaluate import Decision

_POLL = 0.2  # seconds; all that is read are small local files
_GRACE = timedelta(seconds=15)  # in which the aggregator itself says that the deadline has passed


def run(
    cr: Path,
    clusters: Path,
    out: Path,
    show: Callable[[FederatedLearningStatus], None],
    on: Callable[[Path], AbstractContextManager[Machine]] = machine,
) -> FederatedLearningStatus:
    """Run the federation of `cr` over the clusters described in `clusters`, and leave all that it produced in `out`.

    `show` is called with every new status; `on` gives the machine that the containers run on.

    Raises:
        Refused: the CR, the clusters or the folder cannot be used; nothing was started.
        Failed: it was started and could not go on, and not even a status could be written.
    """
    document = parse.document(cr)
    fl = parse.federated_learning(document)
    wishes = unsupported(fl.spec)
    if fl.spec.suspend:
        wishes.append("spec.suspend is true, and a run on one machine is suspended by ending it: use false")
    if fl.spec.client.curation and fl.spec.client.curation.in_cluster:
        said = f"spec.client.curation.endpoint is {fl.spec.client.curation.endpoint}, and there is no cluster on one machine"
        wishes.append(f"{said}: use one of loopback, like http://127.0.0.1:8000/v1")
    if wishes:
        raise Refused(f"{cr}: {'; '.join(wishes)}")
    known = read(clusters)
    decision = known.decision(fl, datetime.now(UTC))
    local = _here(fl, cr)
    spokes = [] if unplaced(fl, decision) else [_spoke(local, known, name) for name, _ in decision.decisions]
    with Folder.open(out, document) as folder:
        folder.write_json("placement.json", decision.as_json())

        def changed(new: FederatedLearningStatus) -> None:
            folder.write_status(document, new)
            show(new)

        with on(folder.logs) as here:
            try:
                last = _Federation(local, decision, spokes, folder, Kubelet(here)).run(changed)
            except Failed:
                report.write(folder.path)
                raise
        report.write(folder.path)
        return last


@dataclass(slots=True)
class _Federation:
    """One run: what was decided, and where it happens."""

    fl: FederatedLearning
    decision: Decision
    spokes: Sequence[Spoke]
    folder: Folder
    kubelet: Kubelet

    def run(self, changed: Callable[[FederatedLearningStatus], None]) -> FederatedLearningStatus:
        """Start what is wanted and watch it until the federation has ended."""
        started = datetime.now(UTC)
        current = begun(outcome.status(outcome.resource(self.folder.path)), started)
        deadline = (current.start_time or started) + self.fl.spec.deadline
        platforms = {spoke.cluster: tuple(spoke.datasets) for spoke in self.spokes}
        seen = Observed(decision=self.decision, platforms=platforms)
        try:
            seen = kept(self.folder, seen)
            listener, certificates = self._start(started, deadline)
            seen = replace(seen, listener=listener)
            while True:
                now = datetime.now(UTC)
                new = status(self.fl, seen, current, now)
                if new != current:
                    changed(new)
                    current = new
                if new.phase in ENDED:
                    return new
                time.sleep(_POLL)
                certificates.keep_fresh(now)
                # An aggregator that has done its work is seen here first to have ended, and then to have said why: it is not
                # started again, as by then its pause is not over.
                pods = self.kubelet.tend(time.monotonic())
                seen = observe(self.fl, self.folder, pods, seen, overdue=now > deadline + _GRACE)
        except Failed as error:  # what ended it belongs in its status too
            changed(status(self.fl, replace(seen, failure=str(error)), current, datetime.now(UTC)))
            raise

    def _start(self, now: datetime, deadline: datetime) -> tuple[ListenerStatus, Certificates]:
        fl, hub = self.fl, self.folder.hub
        if now >= deadline:
            raise Failed(
                f"spec.deadline passed at {deadline:%Y-%m-%d %H:%M:%S} UTC; "
                "the same command begins another attempt, which goes on after the last finished round"
            )
        if missing := unplaced(fl, self.decision):
            raise Failed(missing)  # on a hub it would wait; here no cluster can come
        port = ports.listener(fl)
        superlink, adapters, fusion, *others = ports.free(3 + 3 * len(self.spokes))
        trust_domain = _hub_id(hub / "id")
        where = HubPlace(
            config=str(hub / "config"),
            certificate=str(hub / "certificate"),
            ca=str(hub / "ca"),
            state=str(self.folder.state),
            access_log=str(self.folder.logs / "gateway-access.log"),
            listen="127.0.0.1",
            gateway_port=port,
            superlink_port=superlink,
            adapters_port=adapters,
            fusion_port=fusion,
            reports=False,
        )
        folders = {spoke.cluster: self.folder.cluster(spoke.cluster) for spoke in self.spokes}
        certificates = Certificates(
            authority=authority(hub / "authority", now),
            hub=trust_domain,
            gateway=(server_name(fl.namespace, fl.name), hub / "certificate"),
            clusters={name: path / "certificate" for name, path in folders.items()},
        )
        certificates.keep_fresh(now)
        certificates.trust(hub / "ca", *(path / "ca" for path in folders.values()))
        (self.folder.state / "progress.json").unlink(missing_ok=True)  # a run that goes on tells its own story
        site = Site(
            hub_id=trust_domain,
            gateway=Hub(address="127.0.0.1", port=port),
            deadline=deadline,
            hub_place=where,
            spoke_places={name: _place(path, others[3 * i : 3 * i + 3]) for i, (name, path) in enumerate(folders.items())},
        )
        objects = wanted(fl, self.spokes, site)
        ours, clock = [item for item in objects if item["kind"] != "ManifestWork"], time.monotonic()
        self.kubelet.apply(HUB, ours, hub / "config", clock)
        for work in (item for item in objects if item["kind"] == "ManifestWork"):
            cluster = work["metadata"]["namespace"]
            self.kubelet.apply(cluster, work["spec"]["workload"]["manifests"], folders[cluster] / "config", clock)
        return ListenerStatus(name="local", type="Loopback", address="127.0.0.1", port=port), certificates


def _here(fl: FederatedLearning, cr: Path) -> FederatedLearning:
    """The federation with paths that are relative to the CR's file made absolute; names on a model hub stay as they are."""

    def found(field: str, name: str) -> str:
        path = cr.parent / name
        if path.exists():
            return str(path.resolve())
        if name.startswith((".", "/")):
            raise Refused(f"{field} is {name}, and there is no such folder beside {cr}; name a folder or a model on a hub")
        return name

    training, profiles = fl.spec.training, fl.spec.profiles
    model = training.model.model_copy(update={"name": found("spec.training.model.name", training.model.name)})
    return fl.model_copy(
        update={
            "spec": fl.spec.model_copy(
                update={
                    "training": training.model_copy(update={"model": model}),
                    "profiles": profiles.model_copy(update={"encoder": found("spec.profiles.encoder", profiles.encoder)}),
                }
            )
        }
    )


def _spoke(fl: FederatedLearning, known: Clusters, cluster: str) -> Spoke:
    if cluster == HUB:
        raise Refused(f"a cluster is called {HUB} in {known.files[cluster]}: here the hub's own processes are; call it otherwise")
    datasets: dict[Platform, str] = {platform: str(path) for platform, path in known.datasets(cluster, fl).items()}
    return Spoke(cluster=cluster, datasets=datasets)


def _place(path: Path, given: Sequence[int]) -> SpokePlace:
    sidecar, mcp, supernode = given
    return SpokePlace(
        config=str(path / "config"),
        certificate=str(path / "certificate"),
        ca=str(path / "ca"),
        overrules=str(path / "overrules"),
        output=str(path),
        sidecar_port=sidecar,
        mcp_port=mcp,
        supernode_port=supernode,
    )


def _hub_id(path: Path) -> str:
    """The id of this hub, made once: the trust domain of the identities that it issues."""
    if not path.exists():
        write(path, str(uuid.uuid4()))
    return path.read_text()
