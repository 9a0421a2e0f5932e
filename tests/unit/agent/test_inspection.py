"""What an inspection may do, and what is believed of what it says."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.agent import inspection
from fedspoke.agent.inspection import counted, outcome, waits
from fedspoke.agent.offers import offers
from support.offered import pod, said, volume
from support.pods import NAMESPACE, job

(OFFER,), _ = offers([volume()])
JOB = inspection.job(OFFER, "fedspoke-agent:0.1.0", NAMESPACE, {"uid": "uid-d"})
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_an_inspection_can_read_the_data_and_nothing_else():
    spec = JOB["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in spec["securityContext"] | container["securityContext"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [it["name"] for it in container["volumeMounts"] if not it.get("readOnly")] == ["tmp"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert JOB["spec"]["activeDeadlineSeconds"] == JOB["spec"]["ttlSecondsAfterFinished"] == 600
    assert "env" not in container


def test_one_state_of_an_offer_has_one_job_and_another_state_another():
    (changed,), _ = offers([volume(uploaded="now")])
    assert inspection.job(OFFER, "x", NAMESPACE, {})["metadata"]["name"] == JOB["metadata"]["name"]
    assert inspection.job(changed, "x", NAMESPACE, {})["metadata"]["name"] != JOB["metadata"]["name"]


def test_its_last_words_are_numbers():
    found = outcome(JOB, pod(JOB, said(posts=12)))
    assert found is not None
    assert found.problem == ""
    assert found.counts is not None
    assert found.counts.model_dump(by_alias=True) == {
        "platform": "facebook",
        "posts": 12,
        "images": 3,
        "from": "2024-01-02",
        "to": "2025-11-21",
    }


def test_files_that_could_not_be_read_are_told_and_the_rest_counts():
    found = counted(said(skipped={"video": 3, "truncated_json": 1, "unreadable_json": 2}))
    assert found.counts is not None
    assert found.problem == "3 of the files that list its posts could not be read to the end"


def test_as_long_as_it_goes_on_nothing_has_come_of_it():
    assert outcome(JOB, None) is None
    assert outcome(JOB, pod(JOB, code=None)) is None


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("found 3 files\nfedspoke: /data holds no export\n", "/data holds no export"),
        ("Traceback\nKeyError: 'dinner with Anna'", "KeyError"),
        ("dinner with Anna", "it could not be read: its reader ended with exit code 1"),
    ],
)
def test_of_a_failure_only_our_own_words_are_told(log: str, told: str):
    found = outcome(JOB, pod(JOB, log, 1))
    assert found is not None
    assert (found.problem, found.counts, found.looked) == (told, None, True)


def test_one_that_takes_too_long_says_so():
    late = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    found = outcome(job(late), None)
    assert found is not None
    assert found.problem == "its inspection took longer than 600 s"


def test_a_pod_that_does_not_begin_gives_its_place_to_another_after_two_minutes():
    it = JOB | {"metadata": JOB["metadata"] | {"creationTimestamp": "2026-11-21T12:00:00Z"}}
    pending = pod(it, code=None) | {"status": {"phase": "Pending"}}
    assert not waits(it, pending, NOW + timedelta(seconds=120))
    assert waits(it, pending, NOW + timedelta(seconds=121))
    assert waits(it, None, NOW + timedelta(seconds=121))
    assert not waits(it, pod(it, code=None), NOW + timedelta(hours=1))


@pytest.mark.parametrize(
    "message",
    [
        *("", "{", "[]", "null", "12", "not json", "\x00", "\ud800", "[" * 4096, '{"posts":' * 400, said() + "x", said() * 2),
        *(said(platform="mastodon"), said(platform="facebook\n"), json.dumps({"platform": "facebook"})),
        *(said(posts=value) for value in (-1, 1.5, True, None, "12", "1e9", [12], 10**7 + 1, 10**4000)),
        *(said(to=value) for value in ("Anna", "2024-01-02 and more", 20240102, ["2024-01-02"], "２０２４-01-02")),
        *(said(images=value) for value in (-1, "Anna", 10**30)),
        said(skipped={"Anna": -1}),
        said(note="x" * 4096),
        '{"platform": "facebook", "posts": 1e400, "images": 1}',
        '{"platform": "facebook", "posts": NaN, "images": 1}',
    ],
)
def test_last_words_of_an_enemy_are_no_numbers(message: str):
    found = counted(message)
    assert found.counts is None
    assert found.problem in ("its inspection said what are no numbers", "its inspection said more than numbers")


@given(
    st.text()
    | st.binary().map(lambda it: it.decode("utf-8", "replace"))
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda of: st.lists(of) | st.dictionaries(st.text(), of),
    ).map(json.dumps)
    | st.fixed_dictionaries(
        {
            "platform": st.sampled_from(["facebook", "instagram"]) | st.text(),
            "posts": st.integers() | st.text(),
            "images": st.integers(),
        },
        optional={"from": st.text(), "to": st.text(), "skipped": st.dictionaries(st.text(), st.integers())},
    ).map(json.dumps)
)
def test_whatever_is_said_nothing_but_small_numbers_days_and_a_platform_comes_of_it(message: str):
    found = counted(message)
    assert len(found.problem) < 100
    if found.counts is None:
        return
    told = found.counts.model_dump(by_alias=True)
    assert told.keys() == {"platform", "posts", "images", "from", "to"}
    assert told["platform"] in ("facebook", "instagram")
    assert 0 <= told["posts"] <= 10**7
    assert 0 <= told["images"] <= 10**7
    assert all(day is None or (len(day) == 10 and day.isascii()) for day in (told["from"], told["to"]))
