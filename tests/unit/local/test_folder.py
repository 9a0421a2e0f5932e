"""The folder that a run leaves."""

import fcntl
import os
import stat
import threading

import pytest
import yaml

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearningStatus
from fedspoke.local.folder import Folder, write
from support import build

CR = build.federated_learning()


def test_an_empty_or_new_folder_is_taken(tmp_path):
    for _ in range(2):
        with Folder.open(tmp_path / "deep" / "new", CR) as folder:
            assert folder.path.is_dir()


def test_keys_and_logs_are_for_the_owner_alone(tmp_path):
    with Folder.open(tmp_path / "out", CR) as folder:
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.hub, folder.logs)] == [0o700, 0o700]


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="is not empty"), Folder.open(tmp_path, CR):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(Refused, match="is a file"), Folder.open(tmp_path / "out", CR):
        pass


@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_an_unfinished_run_of_the_same_document_goes_on(tmp_path, phase):
    Folder(tmp_path).write_status(CR, FederatedLearningStatus(phase=phase))
    with Folder.open(tmp_path, CR) as folder:
        assert folder.path == tmp_path


def test_a_completed_run_is_not_run_again(tmp_path):
    Folder(tmp_path).write_status(CR, FederatedLearningStatus(phase="Completed"))
    with pytest.raises(Refused, match="is not empty"), Folder.open(tmp_path, CR):
        pass


def test_an_unfinished_run_of_another_document_is_refused(tmp_path):
    Folder(tmp_path).write_status(CR, FederatedLearningStatus(phase="Failed"))
    other = build.federated_learning(server={"rounds": 9})
    with pytest.raises(Refused, match="another FederatedLearning"), Folder.open(tmp_path, other):
        pass


def test_two_runs_do_not_share_a_folder(tmp_path):
    with Folder.open(tmp_path, CR), pytest.raises(Refused, match="in use by another run"), Folder.open(tmp_path, CR):
        pass


def test_whether_a_run_is_at_work_can_be_asked_at_any_time(tmp_path):
    assert not Folder.at_work(tmp_path / "none")
    with Folder.open(tmp_path, CR):
        assert Folder.at_work(tmp_path)
    assert not Folder.at_work(tmp_path)


def test_whoever_asks_does_not_keep_a_run_from_its_folder(tmp_path):
    looking = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, [looking]).start()
    with Folder.open(tmp_path, CR) as folder:
        assert folder.path == tmp_path


def test_a_run_that_was_killed_before_its_first_status_goes_on(tmp_path):
    (tmp_path / ".federatedlearning.yaml.0a1b2c3d").write_text("apiVersion: fed")
    with Folder.open(tmp_path, CR):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["federatedlearning.yaml", "hub", "logs"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be used"), Folder.open(tmp_path / "file" / "out", CR):
        pass


def test_the_cr_is_written_as_it_was_with_its_status(tmp_path):
    Folder(tmp_path).write_status(CR, FederatedLearningStatus(phase="Waiting", message="für lyon"))
    written = yaml.safe_load((tmp_path / "federatedlearning.yaml").read_text())
    labels = written["metadata"].pop("labels")
    assert {**written, "status": None} == {**CR, "status": None}
    assert labels == {
        "federation-ai.open-cluster-management.io/phase": "Waiting",
        "federation-ai.open-cluster-management.io/round": "0",
    }
    assert written["status"]["message"] == "für lyon"


def test_a_published_folder_replaces_the_one_before(tmp_path):
    folder = Folder(tmp_path)
    for text in ("one", "two"):
        write(folder.state / "global" / "weights", text)
        folder.publish(folder.state / "global")
    assert (tmp_path / "global" / "weights").read_text() == "two"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_secret_file_is_for_its_owner_only(tmp_path):
    write(tmp_path / "key", "secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
