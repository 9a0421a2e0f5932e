"""From `fedspoke upload` to Completed: owners bring and offer posts, the hub hears of it, and a federation gets who has them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from fedspoke.api.base import Object
from fedspoke.api.names import (
    DOMAIN,
    FEDERATED_LEARNING,
    GPUS_CLAIM,
    OFFERS,
    PLATFORMS,
    VOLUME,
    Platform,
    data_claim,
    posts_claim,
    run_name,
)
from fedspoke.data import records
from fedspoke.data.prepare import prepare
from fedspoke.local import demo
from fedspoke.manifestworks.collaborator import NAMESPACE
from fedspoke.manifestworks.report import REASON, key_name, report_name
from support.fleet import federation, ocm
from support.fleet.binaries import Say
from support.fleet.capture import Connection, capturing, connections, sent_to
from support.fleet.cluster import Cluster
from support.fleet.federation import SPEC
from support.fleet.fleet import OwnFleet, own
from support.fleet.kubectl import command
from support.fleet.kubernetes import NODE, POD, Kind, Rejected
from support.fleet.wait import until

_SECONDS, _MINUTE = 600, 60
_CLAIM, _CONFIG_MAP, _SECRET = Kind("v1", "persistentvolumeclaims"), Kind("v1", "configmaps"), Kind("v1", "secrets")
_ROUNDS, _GRACE = 4, 20
_AROUND = 4 << 10
"""Bytes that go to the gateway with a request, or in its place: headers, and what begins and keeps a connection in TLS."""
_PROFILE, _ANSWER = 16 << 10, 8 << 10
"""Bytes at most: a profile is about 440 numbers in JSON; the longest answer has the names and shapes of the tiny adapter."""
_GPU = "nvidia.com/gpu"
_BALLAST = 300 << 20
"""Bytes beside the posts, so that an upload lasts long enough to be killed."""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("owners") / "example"
    demo.write(folder)
    with (folder / "exports/facebook/ballast.bin").open("wb") as file:
        file.write(os.urandom(_BALLAST))
    return folder


@pytest.fixture(scope="module")
def owners(example: Path, say: Say, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    """A fleet of three spokes with the add-on: the first has a GPU, and each a folder of its node for every claim."""
    folder = tmp_path_factory.mktemp("fleet")
    with own(3, say, folder / "logs") as fleet:
        first = fleet.spokes[0]
        given = {"status": {"capacity": {_GPU: "1"}, "allocatable": {_GPU: "1"}}}
        first.kubernetes.merge(NODE, f"{first.name}/status", given)
        with federation.controlled(fleet, folder):
            yield fleet


@pytest.fixture(scope="module")
def uploaded(owners: OwnFleet, example: Path) -> dict[str, str]:
    """What the first two owners were told, whose posts and model are in volumes since; the first upload was killed on its way."""
    said = {}
    for spoke, platform in zip(owners.spokes, PLATFORMS, strict=False):
        for claim in (f"{platform}-data", "model"):
            (_folder(spoke) / claim).mkdir(parents=True)
            (_folder(spoke) / claim).chmod(0o777)
        what = ["--platform", platform, example / "exports" / platform, "--host-path", _host_path(spoke, f"{platform}-data")]
        if platform == "facebook":
            _killed_on_its_way(spoke, *what)
        said[spoke.name] = _done(spoke, *what)
        _done(spoke, "--model", "tiny", example / "model", "--host-path", _host_path(spoke, "model"))
    return said


@pytest.fixture(scope="module")
def offered(owners: OwnFleet, uploaded: dict[str, str]) -> dict[str, dict[str, str]]:
    """What the hub knows of each spoke, within a minute of the offers."""
    for spoke, platform in zip(owners.spokes, PLATFORMS, strict=False):
        spoke.kubernetes.merge(_CLAIM, f"{platform}-data", {"metadata": {"labels": {OFFERS: platform}}}, NAMESPACE)
    found = {spoke.name: partial(_claims, owners, spoke) for spoke in owners.spokes}
    until("the hub knows of the first", found["spoke1"], _MINUTE, so={posts_claim("facebook"), GPUS_CLAIM}.issubset)
    until("the hub knows of the second", found["spoke2"], _MINUTE, so={posts_claim("instagram")}.issubset)
    return {name: claims() for name, claims in found.items()}


@pytest.fixture(scope="module")
def outputs(owners: OwnFleet) -> Path:
    """The first owner's volume for outputs."""
    spoke, name = owners.spokes[0], "outputs"
    folder = spoke.volume(name, reserved=(NAMESPACE, name))
    asked = {"accessModes": ["ReadWriteOnce"], "volumeName": name, "storageClassName": ""}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {VOLUME: "output"}}
    spec = asked | {"resources": {"requests": {"storage": "1Gi"}}}
    spoke.kubernetes.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    return folder


@dataclass(frozen=True, slots=True)
class Request:
    """What there was in one TLS connection."""

    method: str
    path: str
    size: int
    """Bytes of its body."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A federation of both platforms whose hub was away for longer than its grace."""

    told: list[str]
    """What the owners could read meanwhile."""
    ended: Object
    """What the federation said in the end."""
    seen: list[Connection]
    """What has crossed the second spoke's cable from the beginning to the end."""
    asked: list[Request]
    """What the second spoke has asked the hub's gateway for, by the gateway's own account."""
    wrote: dict[str, bytes]
    """What the second spoke's collaborator had in its output while it trained, by name."""
    keys: list[list[str]]
    """What the Secret of its key held then, and while the hub was away."""
    trained: dict[int, float]
    """How long the first spoke trained each round, by what it kept while the hub was away."""
    later: dict[int, float]
    """The same, once it was asked for what comes after."""


@pytest.fixture(scope="module")
def alone(owners: OwnFleet, offered: dict[str, dict[str, str]], outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    hub, spokes = owners.hub, owners.spokes[:2]
    folder = tmp_path_factory.mktemp("cable")
    file, gateway = folder / "connections.json", folder / "gateway.log"
    with capturing(spokes[1].machine, file), federation.federation(owners, "both", **_spec(PLATFORMS)):
        kept = outputs / run_name(federation.USERS, "both") / "workflow.json"
        until("the first spoke trains its second round", partial(_step, kept), _SECONDS, so="train_llava round 2".__eq__)
        wrote, keys = _written(spokes[1]), [_keys(spokes[1])]
        owners.network.cut(hub.machine)
        for spoke in spokes:
            until(f"{spoke.name} has let its GPU go", partial(_collaborators, spoke), _SECONDS, so=[].__eq__)
        told = [_report(spoke) for spoke in spokes]
        keys.append(_keys(spokes[1]))
        trained = _trained(kept)
        owners.network.restore(hub.machine)
        with _followed(hub, gateway):
            later = until("it trains the round after", partial(_trained, kept), _SECONDS, so=lambda it: len(it) > 2)
            ended = federation.until_phase(owners, "both", "Completed", _SECONDS)
    return Alone(told, ended, connections(file), _asked(gateway, spokes[1]), wrote, keys, trained, later)


def test_an_upload_that_was_killed_goes_on_and_all_of_it_is_there(
    owners: OwnFleet, uploaded: dict[str, str], example: Path
) -> None:
    files = _folder(owners.spokes[0]) / "facebook-data"
    assert _contents(files) == _contents(example / "exports/facebook")
    until("only the pod of the upload that was killed is left", partial(_uploads, owners), _SECONDS, so=[1, 0, 0].__eq__)


def test_the_owner_is_told_how_to_offer_it(uploaded: dict[str, str]) -> None:
    assert uploaded["spoke1"].endswith(f"--namespace {NAMESPACE} label pvc facebook-data {DOMAIN}/platform=facebook\n")


def test_the_hub_knows_who_has_what_and_no_more(offered: dict[str, dict[str, str]]) -> None:
    ours = {spoke: {it for it in claims if it.endswith(DOMAIN)} for spoke, claims in offered.items()}
    assert ours == {
        "spoke1": {data_claim("facebook"), posts_claim("facebook"), GPUS_CLAIM},
        "spoke2": {data_claim("instagram"), posts_claim("instagram")},
        "spoke3": set(),
    }


def test_a_federation_of_both_platforms_gets_who_has_them_and_completes(alone: Alone) -> None:
    assert [(it["name"], it["platform"]) for it in alone.ended["clusters"]] == [("spoke1", "facebook"), ("spoke2", "instagram")]
    assert alone.ended["rounds"] == {"completed": _ROUNDS, "total": _ROUNDS}


def test_collaborators_whose_hub_is_gone_end_and_their_owners_can_read_why(alone: Alone) -> None:
    assert all(it.startswith("the hub has not answered at ") for it in alone.told)
    assert all(f"client.hubLostGrace is {_GRACE} s" in it for it in alone.told)


def test_what_a_collaborator_writes_tells_nothing_without_a_key_that_stays_on_the_spoke_as_long_as_its_federation(
    owners: OwnFleet, alone: Alone, example: Path, tmp_path: Path
) -> None:
    spoke = owners.spokes[1]
    prepare([example / "exports/instagram"], tmp_path, lambda *_: None)
    texts = [it.text.encode() for it in records.load(tmp_path)]
    assert {"records/instagram/raw_instagram_data.json", "records/instagram/cleaned_data.json"} < alone.wrote.keys()
    assert [name for name in alone.wrote if name.endswith(".jpg")]
    for name, held in alone.wrote.items():
        assert not [it for it in (*texts, b"JFIF") if it in held], name
    before, meanwhile = alone.keys
    assert len(before) == 1
    assert before == meanwhile
    until("the key has gone with its federation", partial(_keys, spoke), _SECONDS, so=[].__eq__)


def test_a_round_that_was_trained_while_the_hub_was_away_is_not_trained_again_where_the_output_has_a_volume(alone: Alone) -> None:
    assert alone.trained.keys() == {1, 2}
    assert {number: alone.later[number] for number in (1, 2)} == alone.trained


def test_of_a_federation_that_is_over_nothing_is_left_in_the_volume_for_outputs(alone: Alone, outputs: Path) -> None:
    until("it is wiped", lambda: [*outputs.rglob("*")], _SECONDS, so=[outputs / run_name(federation.USERS, "both")].__eq__)


def test_all_that_a_spoke_sends_goes_to_the_hub_in_tls_and_is_as_large_as_the_readme_says(
    owners: OwnFleet, alone: Alone, say: Say
) -> None:
    hub, gateway = owners.hub, alone.ended["listeners"][0]["port"]
    sent = sent_to(alone.seen)
    say(f"a spoke sent {sent}")
    assert sent.keys() == {(hub.address, 6443), (hub.address, gateway)}
    assert all(it.hidden for it in alone.seen if it.began_here)
    bodies = sum(it.size for it in alone.asked)
    assert bodies < sent[hub.address, gateway] < bodies + _AROUND * len(alone.asked)


def test_each_request_of_a_spoke_is_of_a_kind_that_the_readme_lists_and_no_larger(alone: Alone) -> None:
    run = f"/v1/runs/{run_name(federation.USERS, 'both')}"
    adapters = [it for it in alone.asked if it.method == "PUT" and re.fullmatch(rf"{run}/rounds/\d+/adapter", it.path)]
    assert len(adapters) == _ROUNDS
    assert sum(it.size for it in adapters) == sum(it["bytesIn"] for it in alone.ended["metrics"]) / 2
    (profile,) = [it for it in alone.asked if it.path == f"{run}/profiles/instagram"]
    assert profile.size < _PROFILE
    answers = [it for it in alone.asked if it.path.startswith("/v1/fleet/")]
    assert max(it.size for it in answers) < _ANSWER
    others = [it for it in alone.asked if it not in (*adapters, profile, *answers)]
    assert {it.method for it in others} <= {"GET", "HEAD", "DELETE"}  # to fetch an adapter, to show a ticket, a sign of life
    assert not [it for it in others if it.size]


def test_a_federation_that_wants_posts_and_a_gpu_gets_the_one_that_has_both(
    owners: OwnFleet, offered: dict[str, dict[str, str]]
) -> None:
    with federation.federation(owners, "gpu", **_spec(("facebook",), {"limits": {_GPU: "1"}})):
        said = until("it has chosen", partial(federation.status, owners, "gpu"), _SECONDS, so=lambda it: it.get("clusters"))
        assert [it["name"] for it in said["clusters"]] == ["spoke1"]


def _spec(platforms: tuple[Platform, ...], resources: Object | None = None) -> Object:
    data = {"platforms": [*platforms], "minPosts": 5}
    client = SPEC["client"] | {"data": data, "resources": resources or {}, "hubLostGrace": f"{_GRACE}s"}
    return {
        "client": client,
        "server": SPEC["server"] | {"rounds": _ROUNDS, "minAvailableClients": len(platforms)},
        "training": SPEC["training"] | {"model": {"name": "/model/tiny", "claimName": "model"}, "steps": 40},
    }


def _upload(spoke: Cluster, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fedspoke.cli", "upload", "--context", "fleet", *map(str, arguments)]
    environment = os.environ | {"KUBECONFIG": str(spoke.kubeconfig)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _done(spoke: Cluster, *arguments: str | Path) -> str:
    process = _upload(spoke, *arguments)
    said, told = process.communicate(timeout=_SECONDS)
    assert process.returncode == 0, told
    return said


def _killed_on_its_way(spoke: Cluster, *arguments: str | Path) -> None:
    process = _upload(spoke, *arguments)
    begun = partial(_bytes, _folder(spoke) / "facebook-data/.incoming")
    until("some of it has come", begun, _SECONDS, so=lambda size: size > _BALLAST // 20)
    process.kill()
    process.communicate()
    assert _bytes(_folder(spoke) / "facebook-data/.incoming") < _BALLAST


@contextmanager
def _followed(hub: Cluster, file: Path) -> Iterator[None]:
    """What the gateway of the federation has said from its start, in a file, once the block has ended and so has the gateway."""
    what = ("logs", "--follow", "--namespace", federation.USERS, "deployment/both-aggregator", "--container", "gateway")
    with file.open("wb") as sink, subprocess.Popen(command(hub.kubeconfig, *what), stdout=sink) as process:
        yield
        process.wait(_SECONDS)


def _asked(gateway: Path, spoke: Cluster) -> list[Request]:
    lines = [json.loads(line) for line in gateway.read_text().splitlines() if line.startswith("{")]
    own = [it for it in lines if "path" in it and it["identity"].endswith(f"/cluster/{spoke.name}")]
    return [Request(it["method"], it["path"], it["bytesIn"]) for it in own]


def _collaborators(spoke: Cluster) -> list[str]:
    return [it["metadata"]["name"] for it in spoke.kubernetes.all(POD, NAMESPACE, FEDERATED_LEARNING)]


def _step(workflow: Path) -> str | None:
    """What a collaborator is at, by its own word."""
    return str(json.loads(workflow.read_text())["step"]) if workflow.exists() else None


def _trained(workflow: Path) -> dict[int, float]:
    """How many seconds each round took it."""
    return {it["round"]: it["outcome"]["seconds"] for it in json.loads(workflow.read_text())["trained"]}


def _uploads(fleet: OwnFleet) -> list[int]:
    """How many pods of uploads each spoke has."""
    return [len(spoke.kubernetes.all(POD, NAMESPACE, "app.kubernetes.io/component=upload")) for spoke in fleet.spokes]


def _written(spoke: Cluster) -> dict[str, bytes]:
    """What lies in the pods' own outputs, as whoever has the node's disk sees it."""
    outputs = [*(spoke.folder / "lib/kubelet/pods").glob("*/volumes/kubernetes.io~empty-dir/output")]
    held: dict[str, bytes] = {}
    for output in outputs:
        for it in output.rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # one that is replaced meanwhile
                held[str(it.relative_to(output))] = it.read_bytes()
    return held


def _keys(spoke: Cluster) -> list[str]:
    """What the Secret of the federation's key holds, if there is one."""
    try:
        found = spoke.kubernetes.get(_SECRET, key_name(run_name(federation.USERS, "both")), NAMESPACE)
    except Rejected:
        return []
    return [*found["data"].values()]


def _report(spoke: Cluster) -> str:
    found = spoke.kubernetes.get(_CONFIG_MAP, report_name(run_name(federation.USERS, "both")), NAMESPACE)
    return str(found["data"][REASON])


def _host_path(spoke: Cluster, claim: str) -> str:
    """As the node sees it."""
    return f"/var/lib/owner/{claim}"


def _folder(spoke: Cluster) -> Path:
    """The same as this machine sees it."""
    return spoke.folder / "lib/owner"


def _bytes(folder: Path) -> int:
    return sum(it.stat().st_size for it in folder.rglob("*") if it.is_file())


def _contents(folder: Path) -> dict[str, bytes]:
    files = (it for it in folder.rglob("*") if it.is_file() and it.relative_to(folder).parts[0] != ".incoming")
    return {str(it.relative_to(folder)): it.read_bytes() for it in files}


def _claims(fleet: OwnFleet, spoke: Cluster) -> dict[str, str]:
    found = fleet.hub.kubernetes.get(ocm.CLUSTER, spoke.name)["status"].get("clusterClaims", [])
    return {it["name"]: it["value"] for it in found}
