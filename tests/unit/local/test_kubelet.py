"""A container that has ended is started again, as its objects say; the processes are real, the clock is the test's."""

import sys
from contextlib import contextmanager

import pytest

from fedspoke.local.kubelet import Kubelet
from fedspoke.local.processes import machine


def container(name, script, **fields):
    return {"name": name, "command": [sys.executable, "-c", script], **fields}


def job(*containers, sidecars=(), limit=6):
    spec = {"restartPolicy": "OnFailure", "initContainers": list(sidecars), "containers": list(containers)}
    return {"kind": "Job", "spec": {"backoffLimit": limit, "template": {"spec": spec}}}


def deployment(*containers):
    return {"kind": "Deployment", "spec": {"template": {"spec": {"containers": list(containers)}}}}


PAUSE = "import signal; signal.pause()"


@contextmanager
def running(tmp_path, workload, pod="berlin"):
    with machine(tmp_path / "logs") as here:
        kubelet = Kubelet(here)
        kubelet.apply(pod, [workload], tmp_path, now=0)
        yield kubelet


def ended(kubelet, name):
    """Once the newest process of this container has ended."""
    newest = [process for process in kubelet.machine.processes if process.container == name][-1]
    newest.popen.wait(20)
    return newest


def lives(kubelet, name):
    return len([process for process in kubelet.machine.processes if process.container == name])


def test_a_container_that_was_killed_is_started_again_after_a_pause_and_the_pod_says_so(tmp_path):
    with running(tmp_path, job(container("mcp-server", PAUSE))) as kubelet:
        kubelet.machine.processes[0].popen.kill()
        ended(kubelet, "mcp-server")
        assert kubelet.tend(now=10).restarted == {"berlin": "mcp-server was killed by signal 9; starts again, 1st time"}
        assert kubelet.tend(now=10.9).stopped == {}
        assert lives(kubelet, "mcp-server") == 1
        assert kubelet.tend(now=11).restarted == {"berlin": "mcp-server was killed by signal 9; started again, 1st time"}
        assert lives(kubelet, "mcp-server") == 2
        assert kubelet.tend(now=71).restarted == {}  # it has run well for a minute


def test_what_keeps_failing_is_given_up_and_its_pod_with_it(tmp_path):
    bad = container("flower-client", "print('no route'); raise SystemExit(1)")
    with running(tmp_path, job(bad, sidecars=[container("gateway", PAUSE, restartPolicy="Always")], limit=2)) as kubelet:
        for now in (0, 1, 1, 3):
            ended(kubelet, "flower-client")
            assert kubelet.tend(now).stopped == {}
        ended(kubelet, "flower-client")
        why = "flower-client ended with exit code 1: no route, the 3rd time in a row"
        assert kubelet.tend(now=3).stopped == {"berlin": why}
        assert kubelet.machine.processes == []
        assert kubelet.tend(now=100).restarted == {}


def test_what_failed_long_ago_does_not_count(tmp_path):
    with running(tmp_path, job(container("flower-client", "raise SystemExit(1)"), limit=1)) as kubelet:
        for now in (0, 1, 100, 101):
            ended(kubelet, "flower-client")
            assert kubelet.tend(now).stopped == {}


def test_a_refused_input_is_not_tried_again(tmp_path):
    with running(tmp_path, deployment(container("fusion", "print('fedspoke: wrong'); raise SystemExit(2)")), "hub") as kubelet:
        ended(kubelet, "fusion")
        assert kubelet.tend(now=0).stopped == {"hub": "fusion ended with exit code 2: fedspoke: wrong"}


@pytest.mark.parametrize(
    ("workload", "lives_again"),
    [
        pytest.param(deployment(container("c", "")), True, id="of a Deployment: it serves as long as it is wanted"),
        pytest.param(
            job(container("a", PAUSE), sidecars=[container("c", "", restartPolicy="Always")]), True, id="a sidecar, too"
        ),
        pytest.param(job(container("c", "")), False, id="of a Job: it is done"),
    ],
)
def test_a_container_that_ended_well(tmp_path, workload, lives_again):
    with running(tmp_path, workload) as kubelet:
        ended(kubelet, "c")
        assert bool(kubelet.tend(now=0).stopped) != lives_again
        kubelet.tend(now=1)
        assert (lives(kubelet, "c") == 2) == lives_again


def test_of_a_killed_process_the_log_is_not_quoted_as_the_cause_nor_what_another_life_wrote(tmp_path):
    once = tmp_path / "once"
    script = f"import os, pathlib; there = pathlib.Path({str(once)!r})\nif there.exists(): raise SystemExit(1)\n"
    script += "there.touch(); print('train: done', flush=True); os.kill(os.getpid(), 9)"
    with running(tmp_path, job(container("aggregator", script))) as kubelet:
        ended(kubelet, "aggregator")
        assert kubelet.tend(now=0).restarted["berlin"].startswith("aggregator was killed by signal 9; ")
        kubelet.tend(now=1)
        ended(kubelet, "aggregator")
        assert "ended with exit code 1: it logged nothing" in kubelet.tend(now=1).restarted["berlin"]


def test_only_what_a_pod_mounts_becomes_files(tmp_path):
    workload = job(container("main", PAUSE))
    workload["spec"]["template"]["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "config"}}]
    config = {"kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"settings.json": "{}"}}
    progress = {"kind": "ConfigMap", "metadata": {"name": "progress"}}
    with machine(tmp_path / "logs") as here:
        Kubelet(here).apply("berlin", [config, progress, workload], tmp_path / "config", now=0)
    assert [file.name for file in (tmp_path / "config").iterdir()] == ["settings.json"]
