"""One whole federation whose posts are judged before they are trained on; what they are about, by the tiny LLaVA."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import yaml

from fedspoke.api.curation import KEY_VARIABLE
from fedspoke.data import records
from fedspoke.data.records import CleanRecord
from support.envoy import wait_for
from support.example import Example, copied
from support.language_model import LanguageModel, Reply, Request, saying, serving, tiny
from support.whole_run import example

KEY = "key-of-the-owner"
CLUSTERS = ("berlin", "lyon")


@dataclass(frozen=True)
class Done:
    given: Example
    model: LanguageModel
    at_work: dict[str, str]
    """What the CR said of each cluster while its first posts were judged."""

    @property
    def status(self) -> Any:
        return yaml.safe_load((self.given.out / "federatedlearning.yaml").read_text())["status"]

    def posts(self, cluster: str) -> dict[str, CleanRecord]:
        """What cleaning left there."""
        folders = sorted((self.given.out / "clusters" / cluster / "records").iterdir())
        return {it.id: it for folder in folders for it in records.load(folder)}

    def decisions(self, cluster: str) -> list[Any]:
        file = self.given.out / "clusters" / cluster / "curation.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()]

    def kept(self, cluster: str) -> set[str]:
        return {it["id"] for it in self.decisions(cluster) if it["decision"] == "keep"}


def at_work(given: Example) -> dict[str, str] | None:
    """What the CR says of the clusters, once it says of all of them that their posts are judged."""
    document = yaml.safe_load((given.out / "federatedlearning.yaml").read_text())
    said = {it["name"]: it.get("reason", "") for it in document.get("status", {}).get("clusters", [])}
    return said if said.keys() == set(CLUSTERS) and all(it.startswith("at the step curate ") for it in said.values()) else None


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    given = copied(example(), tmp_path_factory.mktemp("curated") / "example")
    librarian = tiny(given.folder / "model")
    told: dict[str, str] = {}

    def answer(request: Request) -> str | Reply:
        if not told:  # the step is held up until the hub has heard of it
            told.update(wait_for(partial(at_work, given), "the CR names the step of each cluster", 300))
        if "keep" not in request.words:
            return librarian(request)
        return saying({}, otherwise="contact" if len(request.post) % 3 == 0 else "keep")(request)

    with serving(answer, KEY) as model:
        curation = {"endpoint": f"http://127.0.0.1:{model.port}/v1", "model": "tiny-llava", "requestTimeout": "5m"}
        given.change(server={"rounds": 1}, training={"steps": 2}, client={"curation": curation}, profiles={"minPosts": 1})
        ran = subprocess.run(
            given.command(), env=os.environ | {KEY_VARIABLE: KEY}, capture_output=True, text=True, timeout=540, check=False
        )
    assert ran.returncode == 0, ran.stderr
    return Done(given, model, told)


def test_it_is_completed(done: Done) -> None:
    assert done.status["phase"] == "Completed"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_step_that_a_cluster_is_at_is_its_reason_in_the_cr(done: Done, cluster: str) -> None:
    assert re.match(r"at the step curate (facebook|instagram) since \d\d:\d\d:\d\d UTC", done.at_work[cluster])


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_every_post_was_judged_once_and_some_were_set_aside(done: Done, cluster: str) -> None:
    judged = [it["id"] for it in done.decisions(cluster)]
    assert sorted(judged) == sorted(done.posts(cluster))
    assert 0 < len(done.kept(cluster)) < len(judged)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_what_was_set_aside_is_neither_trained_on_nor_measured_with_nor_in_a_profile(done: Done, cluster: str) -> None:
    (line,) = (done.given.out / "rounds.jsonl").read_text().splitlines()
    told, kept = json.loads(line)["clusters"][cluster], done.kept(cluster)
    assert told["examples"] + (told["heldOut"] or {"posts": 0})["posts"] == len(kept)
    assert {it["name"]: it["posts"] for it in done.status["clusters"]}[cluster] == len(kept)
    folder = done.given.out / "clusters" / cluster
    assert json.loads((folder / "profile.json").read_text())["posts"] == len(kept)
    captions = folder / "captions.json"
    assert {it["id"] for it in (json.loads(captions.read_text()) if captions.exists() else [])} <= kept


def test_all_that_the_model_was_shown_are_the_clusters_posts_one_a_request(done: Done) -> None:
    texts = {it.text for cluster in CLUSTERS for it in done.posts(cluster).values()}
    assert set(done.model.posts) == texts
    asked = sum(it["requests"] for cluster in CLUSTERS for it in done.decisions(cluster))
    assert len(done.model.requests) == asked


def test_no_log_and_no_decision_has_a_word_of_a_post_or_the_key(done: Done) -> None:
    texts = [it.text[:16] for cluster in CLUSTERS for it in done.posts(cluster).values()]
    files = [*(done.given.out / "logs").iterdir(), *done.given.out.glob("clusters/*/curation.jsonl")]
    files += [path for path in done.given.out.glob("clusters/*/crewai/**/*") if path.is_file()]
    for path in files:
        content = path.read_text(errors="replace")
        assert not [text for text in [*texts, KEY] if text in content], path


def test_how_many_were_set_aside_stays_with_the_cluster(done: Done) -> None:
    for cluster in CLUSTERS:
        (told,) = json.loads((done.given.out / "clusters" / cluster / "workflow.json").read_text())["curated"].values()
        assert told["setAside"] == {"contact": len(done.posts(cluster)) - len(done.kept(cluster))}
    said = (done.given.out / "federatedlearning.yaml").read_text().split("\nstatus:")[1]
    assert "contact" not in said
