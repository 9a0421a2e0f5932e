"""Posts that a language model of the spoke has judged, a base model from an S3 of the spoke: as pods, and seen from the hub."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from fedspoke.agent.policy import POLICY
from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING, PLATFORMS, Platform, run_name
from fedspoke.data import records
from fedspoke.data.prepare import prepare
from fedspoke.manifestworks.collaborator import CURATION, MODEL_HUB, NAMESPACE
from support import s3
from support.fleet import federation, images
from support.fleet.cluster import Cluster
from support.fleet.federation import SPEC, USERS
from support.fleet.fleet import OwnFleet
from support.fleet.killing import killing
from support.fleet.kubernetes import POD, Kind
from support.fleet.neighbours import LANGUAGE_MODEL_URL, S3_URL, Neighbours, at_work
from support.fleet.wait import until
from support.language_model import MODEL
from support.neighbour import private

_SECONDS = 300
_PLATFORM = dict(zip(("spoke1", "spoke2"), PLATFORMS, strict=True))
_FLOW = ("start", "wait for the trainer", "download_model", "fetch_data", "clean_data", "curate")
_SECOND = "instagram"
"""The platform of the second, whose flow is killed."""
_KILLED_AFTER = (
    *("wait for the trainer", "download_model", f"fetch_data {_SECOND}", "clean_data", f"curate {_SECOND}"),
    *("next_order, for train_llava round 1", "train_llava round 1"),
    *("next_order, for evaluate", "evaluate", f"generate_profile {_SECOND}"),
)
_CURATING = ("list_posts", "set_aside", "name_topic")
_TOOLS = ("download_model", "fetch_data", "clean_data", "train_llava", "evaluate", "generate_profile")
_PHASES = ("", "Waiting", "Preparing", "Ready", "Training", "Trained", "Finishing", "Finished")
_CLAIM = Kind("v1", "persistentvolumeclaims")
_ENDPOINT, _OTHER = f"{LANGUAGE_MODEL_URL}/v1", "http://elsewhere.models.svc:8000/v1"
_KEY = "key-of-the-owner"
_CACHE = "cache"
"""The claim of the volume that the model comes into."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Of one spoke."""

    spoke: Cluster
    neighbours: Neighbours
    secrets: list[str]
    """What nobody else may read."""
    cache: Path
    """The files of the model's volume."""
    posts: dict[str, str]
    """What is posted, by the id that it has as a record."""
    keeps: str
    """The id of one that the language model finds private, and its owner does not."""

    @property
    def kept(self) -> list[str]:
        """The ids of what is trained on."""
        return [it for it, text in self.posts.items() if it == self.keeps or not private(text)]


@dataclass(slots=True)
class Story:
    """What the FederatedLearning has said on its way, and what was there at its end."""

    said: list[Object] = field(default_factory=list)
    """Each status that was another one than that before."""
    logs: dict[Path, str] = field(default_factory=dict)
    """Of all programs and pods, before the collaborators ended."""
    trained: dict[str, int] = field(default_factory=dict)
    """By cluster, the posts that the round was made of and measured with."""
    killed: dict[str, list[str]] = field(default_factory=dict)
    """After which steps the second's flow was killed, and which tools its trainer had done by then."""
    done: list[str] = field(default_factory=list)
    """Which it has done at the end."""

    def phases(self, cluster: str) -> list[str]:
        return self._of(cluster, "phase")

    def steps(self, cluster: str) -> list[str]:
        """Those that a cluster was said to be at, by name."""
        said = [it for it in self._of(cluster, "reason") if it.startswith("at the step ")]
        return [*dict.fromkeys(it.removeprefix("at the step ").partition(" since ")[0] for it in said)]

    def _of(self, cluster: str, key: str) -> list[str]:
        found = [str(it.get(key, "")) for said in self.said for it in said.get("clusters", []) if it["name"] == cluster]
        return [each for each, before in zip(found, [None, *found], strict=False) if each != before]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("curated")


@pytest.fixture(scope="module")
def owners(own_fleet: OwnFleet, example: Path) -> Iterator[tuple[OwnFleet, list[Owner]]]:
    """Two owners who have done what the README asks of them."""
    with federation.ready(own_fleet, example) as fleet, ExitStack() as stack:
        yield fleet, [stack.enter_context(_owner(spoke, example)) for spoke in fleet.spokes]


@pytest.fixture(scope="module")
def story(owners: tuple[OwnFleet, list[Owner]]) -> Story:
    """One federation to its end. Whoever is waited for is held up until the hub has said so; the second's flow is killed after
    each of its steps.
    """
    fleet, (first, second) = owners
    told, name = Story(), "curated"
    for it in (first, second):
        it.neighbours.s3.hold(up=True)
        it.neighbours.language_model.hold(up=True)
    with federation.federation(fleet, name, **_spec(_ENDPOINT)), killing(second.spoke, run_name(USERS, name)) as kills:

        def heard() -> dict[str, tuple[str, str]]:
            kills.look()
            return _heard(fleet, name, told)

        until("both wait for the model", heard, _SECONDS, so=partial(_all_at, "at the step download_model "))
        first.neighbours.s3.hold(up=False)
        second.neighbours.s3.hold(up=False)
        until("the posts of both are judged", heard, _SECONDS, so=partial(_all_at, "at the step curate "))
        second.neighbours.language_model.hold(up=False)
        until("the second is ready", heard, _SECONDS, so=lambda it: it[second.spoke.name][0] == "Ready")
        with ExitStack() as slow:
            with _stopped(second.spoke):
                first.neighbours.language_model.hold(up=False)
                until("the first has trained", heard, _SECONDS, so=lambda it: it[first.spoke.name][0] == "Trained")
                slow.enter_context(_stopped(first.spoke))
            until("the first finishes", heard, _SECONDS, so=lambda it: it[first.spoke.name][0] == "Finishing")
            until("the second's flow has come to its end", heard, _SECONDS, so=lambda _: _KILLED_AFTER[-1] in kills.killed)
            told.logs = _logs(fleet)
        until("it is completed", heard, _SECONDS, so=lambda _: told.said[-1].get("phase") == "Completed")
        told.trained = _trained(federation.volume(fleet, f"{name}-aggregator"))
        told.killed, told.done = kills.killed, kills.done
    return told


def test_it_is_completed(story: Story) -> None:
    assert [it["phase"] for it in story.said[-1]["clusters"]] == ["Finished", "Finished"]


@pytest.mark.parametrize("cluster", _PLATFORM)
def test_each_step_that_lasts_is_named_on_the_hub_while_it_lasts(story: Story, cluster: str) -> None:
    named = [it.removesuffix(f" {_PLATFORM[cluster]}") for it in story.steps(cluster)]
    assert {"download_model", "curate"} <= set(named)
    assert named == sorted(named, key=_FLOW.index)


@pytest.mark.parametrize("cluster", _PLATFORM)
def test_so_is_what_it_does_once_it_is_ready(story: Story, cluster: str) -> None:
    phases = story.phases(cluster)
    assert {"Preparing", "Training", "Finishing", "Finished"} <= set(phases)
    assert phases == sorted(phases, key=_PHASES.index)


def test_a_cluster_that_waits_for_another_ones_training_says_that_it_has_trained(story: Story) -> None:
    assert "Trained" in story.phases("spoke1")


def test_the_flow_was_killed_after_each_of_its_steps(story: Story) -> None:
    assert tuple(story.killed) == _KILLED_AFTER


def test_and_did_none_of_them_twice(story: Story) -> None:
    assert [it for it in story.done if it not in _CURATING] == [*_TOOLS]


@pytest.mark.parametrize("step", _KILLED_AFTER)
def test_what_it_asked_for_until_it_was_killed_the_next_one_did_not_ask_for_again(story: Story, step: str) -> None:
    before = story.killed[step]
    assert not set(before) & set(story.done[len(before) :])


def test_posts_that_were_set_aside_are_neither_trained_on_nor_counted(owners: tuple[OwnFleet, list[Owner]], story: Story) -> None:
    kept = {it.spoke.name: len(it.kept) for it in owners[1]}
    assert all(1 < kept[it.spoke.name] < len(it.posts) for it in owners[1])
    assert {it["name"]: it["posts"] for it in story.said[-1]["clusters"]} == kept
    assert story.trained == kept


def test_a_language_model_is_shown_its_own_clusters_posts_but_for_what_the_owner_has_judged(
    owners: tuple[OwnFleet, list[Owner]], story: Story
) -> None:
    for it in owners[1]:
        shown = {json.loads(line) for line in it.neighbours.language_model.shown.splitlines()}
        assert shown == {text for post, text in it.posts.items() if post != it.keeps}


def test_the_model_that_was_trained_is_the_buckets(owners: tuple[OwnFleet, list[Owner]], story: Story, example: Path) -> None:
    for owner in owners[1]:
        assert [_sha256(it) for it in owner.cache.rglob("*.safetensors")] == [_sha256(_weights(example))]


def test_no_log_and_nothing_that_the_hub_says_has_a_word_of_a_post_or_a_key(
    owners: tuple[OwnFleet, list[Owner]], story: Story
) -> None:
    hidden = [each for it in owners[1] for each in (*it.secrets, *(text[:16] for text in it.posts.values()))]
    assert {it.parent.name for it in story.logs} >= {"gateway", "mcp-server", "flower-client", "agent"}
    for path, content in (*story.logs.items(), (Path("status"), json.dumps(story.said, ensure_ascii=False))):
        assert not [it for it in hidden if it in content], path


def test_a_federation_that_would_hand_posts_to_whom_the_owner_has_not_named_does_not_start_and_says_so(
    owners: tuple[OwnFleet, list[Owner]], story: Story
) -> None:
    fleet, name, seen = owners[0], "elsewhere", Story()
    why = f"the cluster's owner does not allow it: client.curation would hand its posts to {_OTHER}: "
    with federation.federation(fleet, name, **_spec(_OTHER)):
        until("both say why", partial(_heard, fleet, name, seen), _SECONDS, so=partial(_all_at, why))
        assert seen.said[-1]["phase"] == "Waiting"
        of = f"{FEDERATED_LEARNING}={run_name(USERS, name)}"
        assert [it for spoke in fleet.spokes for it in spoke.kubernetes.all(POD, NAMESPACE, of)] == []


@contextmanager
def _owner(spoke: Cluster, example: Path) -> Iterator[Owner]:
    """One who has a model in a bucket, keys to it, a language model, and a policy that allows it."""
    cache = spoke.folder / "volumes" / f"{_CACHE}-{example.name}"
    federation.offer(spoke, _CACHE, cache.name, _nothing(example), model=True)
    cache.chmod(0o777)  # a collaborator writes there as whoever it is
    posts = _posts(example, _PLATFORM[spoke.name])
    keeps = next(it for it, text in posts.items() if private(text))
    try:
        with at_work(spoke, _KEY) as neighbours:
            store = neighbours.s3.url
            s3.S3(store, s3.asking(store, "s3")).put(example / "example/model", ChecksumAlgorithm="SHA256")
            keys = s3.keys(store)
            given = (
                _config_map(MODEL_HUB, AWS_ENDPOINT_URL=S3_URL, AWS_REGION="us-east-1"),
                _secret(MODEL_HUB, **keys),
                _secret(CURATION, apiKey=_KEY),
                _config_map(CURATION, keep=keeps),
                _config_map(POLICY, curationEndpoints=_ENDPOINT, images=images.TESTS),
            )
            with spoke.kubernetes.temporarily(*given):
                yield Owner(spoke, neighbours, [_KEY, *keys.values()], cache, posts, keeps)
    finally:
        spoke.kubernetes.delete(_CLAIM, _CACHE, NAMESPACE)


def _posts(example: Path, platform: Platform) -> dict[str, str]:
    cleaned = example / "cleaned" / platform
    prepare([example / "example/exports" / platform], cleaned, lambda *_: None)
    return {it.id: it.text for it in records.load(cleaned)}


def _nothing(example: Path) -> Path:
    folder = example / "nothing"
    folder.mkdir(exist_ok=True)
    return folder


def _config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


def _secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "stringData": data}


def _spec(endpoint: str) -> Object:
    curation = {"endpoint": endpoint, "model": MODEL, "requestTimeout": "5m"}
    return {
        "client": SPEC["client"] | {"curation": curation},
        "server": SPEC["server"] | {"rounds": 1},
        "training": SPEC["training"] | {"model": {"name": f"s3://{s3.BUCKET}/llava", "claimName": _CACHE}},
    }


def _heard(fleet: OwnFleet, name: str, told: Story) -> dict[str, tuple[str, str]]:
    """Phase and reason of each cluster, as the hub has it now; what is new goes into the story."""
    said = federation.status(fleet, name)
    assert said.get("phase") != "Failed", said["message"]
    if said != next(iter(told.said[-1:]), None):
        told.said.append(said)
    return {it["name"]: (it["phase"], it.get("reason", "")) for it in said.get("clusters", [])}


def _all_at(words: str, said: dict[str, tuple[str, str]]) -> bool:
    return len(said) == len(PLATFORMS) and all(reason.startswith(words) for _, reason in said.values())


@contextmanager
def _stopped(spoke: Cluster) -> Iterator[None]:
    """A spoke's trainer gets no time, as where a machine is busy."""
    trainer = ("--full", "fedspoke mcp --settings")
    spoke.machine.call("pkill", "-STOP", *trainer)
    try:
        yield
    finally:
        spoke.machine.call("pkill", "-CONT", *trainer)


def _logs(fleet: OwnFleet) -> dict[Path, str]:
    """Of every program and every container, as a node keeps them."""
    found = {}
    for cluster in (fleet.hub, *fleet.spokes):
        for it in (cluster.folder / "log").rglob("*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # a pod that has ended is cleared away meanwhile
                found[it] = it.read_text(errors="replace")
    return found


def _trained(volume: Path) -> dict[str, int]:
    (line,) = (volume / "rounds.jsonl").read_text().splitlines()
    clusters = json.loads(line)["clusters"]
    return {name: it["examples"] + (it["heldOut"] or {"posts": 0})["posts"] for name, it in clusters.items()}


def _weights(example: Path) -> Path:
    (file,) = (example / "example/model").glob("*.safetensors")
    return file


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
