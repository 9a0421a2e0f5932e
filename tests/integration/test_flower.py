"""Real SuperLink, real SuperNodes, real processes on loopback; the trainer adds numbers, the gateway has no TLS."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import psutil

from fedspoke.api.profiles import GeneralProfile
from support import adapters
from support.envoy import wait_for
from support.flower import Hub, below, fake_trainer, federation
from support.hostile_hub import MARK
from support.trainer import Behaviour

TWO = ("cluster1", "cluster2")
PATIENCE = 150  # seconds for what takes ten on an idle machine


def ended(hub: Hub) -> int:
    """The aggregator's exit status, once it has one."""
    return hub.aggregator.wait(PATIENCE)


def said(hub: Hub, words: str) -> None:
    """Return once the aggregator says so."""
    wait_for(lambda: (now := hub.progress()) is not None and words in now.message, f"progress.json says {words}", PATIENCE)


def test_a_federation_from_the_first_node_to_the_general_profile(tmp_path: Path) -> None:
    with federation(tmp_path, TWO, profiles=True) as site:
        spokes = [site.spoke("cluster1", Behaviour(add=1)), site.spoke("cluster2", Behaviour(add=5, examples=3))]
        said(site.hub, "the training of round 1")
        processes = [*below(site.hub.aggregator), *(process for spoke in spokes for process in below(spoke.client))]
        assert ended(site.hub) == 0, (tmp_path / "aggregator.log").read_text()
        hub = site.hub

    final = adapters.load(hub.state / "global" / "adapter_model.safetensors")
    for name in (tensor.name for tensor in adapters.layout() if "lora_B" in tensor.name):
        assert np.all(final[name] == 8)  # two rounds, each adding (1·1 + 3·5) / 4
    assert json.loads((hub.state / "global" / "adapter_config.json").read_text())["peft_type"] == "LORA"

    assert [record.round for record in hub.rounds()] == [1, 2]
    assert {name: part.examples for name, part in hub.rounds()[1].clusters.items()} == {"cluster1": 1, "cluster2": 3}
    size = (hub.state / "global" / "adapter_model.safetensors").stat().st_size
    assert hub.rounds()[1].clusters["cluster1"].bytes_out == size

    progress = hub.progress()
    assert progress is not None
    assert (progress.phase, progress.round) == ("Completed", 2)
    assert {name: cluster.phase for name, cluster in progress.clusters.items()} == dict.fromkeys(TWO, "Finished")
    general = GeneralProfile.model_validate_json((hub.state / "general_profile.json").read_bytes())
    assert [part.cluster for part in general.parts] == list(TWO)
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def test_what_a_hub_sends_with_a_run_is_not_run_on_a_spoke(tmp_path: Path) -> None:
    with federation(tmp_path, TWO, hub_runs="support.hostile_hub") as site:
        for cluster in TWO:
            site.spoke(cluster)
        assert ended(site.hub) == 0, (tmp_path / "aggregator.log").read_text()
    assert list(tmp_path.rglob(MARK)) == []
    assert [found for cluster in TWO for found in (tmp_path / cluster).rglob("sent.py")] == []


def test_a_trainer_that_dies_in_round_2_and_is_started_again_takes_part_in_that_round(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        site.spoke("cluster1")
        spoke = site.spoke("cluster2", Behaviour(die=2))
        spoke.trainer.wait(PATIENCE)
        with fake_trainer(spoke.settings, tmp_path / "again.log"):
            assert ended(site.hub) == 0
            rounds = site.hub.rounds()
    assert [sorted(record.clusters) for record in rounds] == [list(TWO), list(TWO)]
    assert [record.refused for record in rounds] == [{}, {}]


def test_an_aggregator_that_moves_goes_on_after_the_last_round_with_the_same_collaborators(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        spokes = [site.spoke("cluster1"), site.spoke("cluster2")]
        said(site.hub, "the training of round 2")
        first = site.hub.rounds()[0]
        site.restart()
        assert ended(site.hub) == 0, (tmp_path / "again.log").read_text()
        assert [spoke.client.poll() for spoke in spokes] == [None, None]
    assert site.hub.rounds()[0] == first
    assert [record.round for record in site.hub.rounds()] == [1, 2]


def test_a_step_that_fails_before_the_first_round_reaches_the_hub_while_others_get_ready(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        site.spoke("cluster2", Behaviour(fail={"fetch_data facebook": "the export holds no posts"}))
        assert ended(site.hub) == 1
        progress = site.hub.progress()
    assert progress is not None
    assert "cluster2: prepare failed: fetch_data facebook: " in progress.message
    assert progress.message.endswith("the export holds no posts")


def test_a_cluster_that_calls_itself_another_harms_only_itself(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        site.spoke("cluster2", Behaviour(fail={"download_model": "I give up"}), certificate="cluster1")
        assert ended(site.hub) == 1
        progress = site.hub.progress()
    assert progress is not None
    assert "cluster1: prepare failed: a node of cluster1 calls itself cluster2 (download_model: " in progress.message
    assert progress.clusters["cluster2"].phase == "Waiting"


def test_below_the_quorum_it_says_for_whom_it_waits_and_sigterm_leaves_no_process(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        site.spoke("cluster1")
        said(site.hub, "waiting for 1 more of the 2 clusters that are needed to be ready: cluster2; since")
        processes = below(site.hub.aggregator)
        assert len(processes) >= 3  # this one, the SuperLink, the ServerApp
        site.hub.aggregator.send_signal(signal.SIGTERM)
        assert ended(site.hub) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with federation(tmp_path, TWO, superlink_port=port) as site:
            assert ended(site.hub) == 1
            progress = site.hub.progress()
    assert progress is not None
    assert progress.message == f"port {port} of 127.0.0.1, meant for the SuperLink, cannot be had (Address already in use)"


def test_a_superlink_that_is_killed_is_started_again_and_so_are_the_nodes_that_it_does_not_know(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        site.spoke("cluster1")
        said(site.hub, "waiting for 1 more")
        started(site.hub.aggregator, "flower-superlink").kill()
        said(site.hub, "the SuperLink was killed by signal 9 during the run; its log says why; it is started again in 1 s")
        site.spoke("cluster2")
        assert ended(site.hub) == 0, (tmp_path / "aggregator.log").read_text()
    assert [record.round for record in site.hub.rounds()] == [1, 2]


def test_a_serverapp_that_is_killed_goes_on_after_the_last_round(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        spokes = [site.spoke("cluster1"), site.spoke("cluster2")]
        said(site.hub, "the training of round 2")
        first = site.hub.rounds()[0]
        (app,) = forks(site.hub.aggregator)
        app.kill()
        assert ended(site.hub) == 0, (tmp_path / "aggregator.log").read_text()
        assert [spoke.client.poll() for spoke in spokes] == [None, None]
    assert site.hub.rounds()[0] == first
    assert [record.round for record in site.hub.rounds()] == [1, 2]


def test_nothing_of_an_aggregator_that_is_killed_outlives_it(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        said(site.hub, "waiting for 2 more")
        _, *rest = below(site.hub.aggregator)
        assert len(rest) >= 2  # the SuperLink, the ServerApp
        site.hub.aggregator.kill()
        _, alive = psutil.wait_procs(rest, timeout=20)
    assert alive == []


def test_a_supernode_that_is_killed_and_one_whose_order_was_killed_are_followed_by_another(tmp_path: Path) -> None:
    with federation(tmp_path, TWO) as site:
        spoke = site.spoke("cluster1", Behaviour(slow=3600))
        first = started(spoke.client, "flower-supernode")  # before that it counts as a fork
        wait_for(lambda: len(forks(spoke.client)) == 2, "the steps and an order are at work", PATIENCE)
        order = max(forks(spoke.client), key=lambda process: process.create_time())
        order.kill()
        wait_for(lambda: not first.is_running(), "the SuperNode that waits for the order's answer ends", PATIENCE)
        second = started(spoke.client, "flower-supernode")
        wait_for(lambda: len(forks(spoke.client)) == 2, "another one is asked the same", PATIENCE)
        second.kill()
        wait_for(lambda: started(spoke.client, "flower-supernode") not in (first, second), "a third one comes", PATIENCE)
        assert spoke.client.poll() is None


def started(process: subprocess.Popen[bytes], program: str) -> psutil.Process:
    """What it started of this name, once it has."""
    found: list[psutil.Process] = []

    def look() -> bool:
        found[:] = [one for one in below(process) if program in " ".join(_words(one))]
        return bool(found)

    wait_for(look, f"{program} runs", PATIENCE)
    return found[0]


def forks(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """What it forked and did not start: apps, steps."""
    root, *children = below(process)
    return [child for child in children if _words(child) == _words(root)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
