"""What `fedspoke run` is asked and cannot do ends in one sentence and the right exit status, and leaves nothing behind."""

import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from support.example import Example, call, copied, fedspoke
from support.whole_run import example


@pytest.fixture
def given(tmp_path) -> Example:
    return copied(example(), tmp_path / "example")


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("fedspoke: ")
    return last


def test_a_missing_cr(given):
    given.cr.unlink()
    done = call(given.command())
    assert done.returncode == 2
    assert str(given.cr) in sentence(done)
    assert not given.out.exists()


def test_a_bad_cr_is_told_field_value_and_what_would_be_right(given):
    given.change(server={"rounds": 0})
    done = call(given.command())
    assert done.returncode == 2
    assert "spec.server.rounds is 0" in sentence(done)
    assert "at least 1" in sentence(done)
    assert not given.out.exists()


def test_a_wish_for_the_future(given):
    given.change(privacy={"secureAggregation": True})
    done = call(given.command())
    assert done.returncode == 2
    assert "spec.privacy.secureAggregation is true" in sentence(done)


def test_a_model_that_is_not_there(given):
    given.change(training={"model": {"name": "./no-such-model"}})
    done = call(given.command())
    assert done.returncode == 2
    assert "./no-such-model" in sentence(done)


def test_a_cluster_that_is_called_as_the_hub(given):
    file = given.folder / "clusters/berlin.yaml"
    file.write_text(file.read_text().replace("name: berlin", "name: hub"))
    done = call(given.command())
    assert done.returncode == 2
    assert f"a cluster is called hub in {file}" in sentence(done)


def test_no_folder_of_clusters(given):
    done = call([*fedspoke("run"), str(given.cr), "--clusters", str(given.folder / "none"), "--out", str(given.out)])
    assert done.returncode == 2
    assert "none is no folder" in sentence(done)


def test_a_dataset_that_is_not_there(given):
    lyon = given.clusters / "lyon.yaml"
    lyon.write_text(lyon.read_text().replace("../exports/instagram", "../exports/gone"))
    done = call(given.command())
    assert done.returncode == 2
    assert "the instagram dataset of cluster lyon" in sentence(done)


def test_no_cluster_that_qualifies(given):
    for name in ("berlin", "lyon"):
        (given.clusters / f"{name}.yaml").unlink()
    done = call(given.command())
    assert done.returncode == 1
    assert "no cluster qualifies" in sentence(done)
    assert "oslo: declares" in sentence(done)
    assert yaml.safe_load((given.out / "federatedlearning.yaml").read_text())["status"]["phase"] == "Failed"
    assert "oslo" in (given.out / "report.html").read_text()


def test_fewer_clusters_than_the_federation_needs(given):
    given.change(server={"minAvailableClients": 3})
    done = call(given.command())
    assert done.returncode == 1
    assert "2 clusters qualify (berlin, lyon), but spec.server.minAvailableClients is 3" in sentence(done)


def test_a_port_that_is_taken(given):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given.change(server={"listeners": [{"name": "public", "type": "NodePort", "port": port}]})
        done = call(given.command())
    assert done.returncode == 1
    assert f"spec.server.listeners[0].port is {port}" in sentence(done)
    assert "Address already in use" in sentence(done)


def test_a_folder_that_holds_something_else(given):
    given.out.mkdir()
    (given.out / "thesis.txt").write_text("mine")
    done = call(given.command())
    assert done.returncode == 2
    assert "is not empty" in sentence(done)
    assert [path.name for path in given.out.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("words", [["run"], ["run", "x.yaml"], ["place"], ["no-such-command"]])
def test_a_command_that_is_typed_wrong(words, tmp_path: Path):
    done = subprocess.run(fedspoke(*words), capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_a_laptop_does_not_have(given):
    given.change(client={"curation": {"endpoint": "http://llm.models.svc/v1", "model": "llama"}})
    done = call(given.command())
    assert done.returncode == 2
    assert "spec.client.curation.endpoint is http://llm.models.svc/v1, and there is no cluster on one machine" in sentence(done)
