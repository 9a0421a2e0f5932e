import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import Object
from fedspoke.cli.status import follow, look, status
from fedspoke.cli.status_view import Seen, line, view
from fedspoke.local.folder import Folder
from support import outcome as build


def ask(*arguments: object) -> str:
    result = CliRunner().invoke(status, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def running(done: int) -> Object:
    return build.cr(
        phase="Running", message=f"round {done + 1} is being trained", rounds={"completed": done, "total": 3}, completionTime=None
    )


def test_rounds_clusters_and_conditions_are_shown(tmp_path: Path) -> None:
    shown = ask(build.write(tmp_path))
    assert "social/photos  Completed  3 of 3 rounds" in shown
    for of in build.LOSSES.values():
        assert all(f"{loss:.4f}" in shown for loss in of.values())
    assert "the model and the general profile are saved" in shown
    assert "2 of 3 clusters qualify" in shown


def test_a_failed_federation_is_shown_and_the_command_succeeds(tmp_path: Path) -> None:
    shown = ask(build.write(tmp_path, build.cr(phase="Failed", message="no cluster qualifies", clusters=[], conditions=[]), []))
    assert "Failed" in shown
    assert "no cluster qualifies" in shown
    assert "No cluster was chosen." in shown


def test_an_update_that_was_not_used_is_shown_with_its_reason(tmp_path: Path) -> None:
    records = build.rounds({1: {"cluster1": 3.0}}, {1: {"cluster2": "lora_A holds NaN"}})
    shown = ask(build.write(tmp_path, records=records))
    assert "In round 1 the update of cluster2 was not used: lora_A holds NaN" in shown


def test_what_the_final_adapter_is_worth_and_what_was_told_is_shown(tmp_path: Path) -> None:
    spent = {"epsilon": 7.5, "delta": 1e-5, "releases": 3, "unit": "all posts of one cluster"}
    resource = build.cr(evaluation={"posts": 9, "baseLoss": 6.0, "loss": 3.25}, privacy=spent)
    shown = ask(build.write(tmp_path, resource, build.rounds(held_out={2: (5.0, 4.5), 3: (4.0, 3.5)})))
    assert "On 9 posts held out the loss is 3.2500; the base model's is 6.0000" in shown
    assert "Noised adapters spent ε 7.5 at δ 1e-05 in 3 releases, for all posts of one cluster" in shown
    [row] = [line.split() for line in shown.splitlines() if line.startswith("held out")]
    assert row == ["held", "out", "5.0000", "4.0000", "3.2500"]


def test_json_is_the_status_as_it_is_in_the_resource(tmp_path: Path) -> None:
    shown = json.loads(ask(build.write(tmp_path), "-o", "json"))
    assert shown.pop("summary")["rounds"] == "3/3"
    expected = build.cr()["status"]
    assert {field: shown[field] for field in ("phase", "rounds", "conditions")} == {
        field: expected[field] for field in ("phase", "rounds", "conditions")
    }


def test_a_resource_nobody_has_acted_on_is_waiting(tmp_path: Path) -> None:
    resource = build.cr()
    del resource["status"]
    assert line(look(build.write(tmp_path, resource, []))) == "Waiting: nothing has been reported yet"


def test_a_round_that_is_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    out = build.write(tmp_path)
    with (out / "rounds.jsonl").open("a") as file:
        file.write('{"round": 4, "dig')
    assert [record.round for record in look(out).rounds] == [1, 2, 3]


def test_what_a_cluster_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    cluster = {"name": "cluster1", "phase": "Failed", "reason": "\x1b[2J[red]gone[/red]"}
    out = build.write(tmp_path, build.cr(message="\x1b]0;owned\x07 \u202e", clusters=[cluster]), [])
    console = Console(width=160, force_terminal=True)
    with console.capture() as capture:
        console.print(view(look(out)))
    assert "\x1b[2J" not in capture.get()
    assert "\x1b]0;" not in capture.get()
    assert "[red]gone[/red]" in capture.get()
    assert "\x1b" not in line(look(out))


def test_following_shows_each_new_state_up_to_the_last(tmp_path: Path) -> None:
    coming = [running(1), running(2), build.cr()]
    out = build.write(tmp_path, running(0))

    def pause() -> None:
        build.write(tmp_path, coming.pop(0))

    assert [seen.status.message for seen in follow(out, pause, lambda _: True)] == [
        "round 1 is being trained",
        "round 2 is being trained",
        "round 3 is being trained",
        build.cr()["status"]["message"],
    ]


def test_a_federation_whose_writer_is_gone_is_not_followed_for_ever(tmp_path: Path) -> None:
    out = build.write(tmp_path, running(1))
    seen: list[Seen] = []
    with pytest.raises(Failed, match=r"no run is at work in .*: it was cut off; the command that began it goes on"):
        seen.extend(follow(out, lambda: None, lambda _: False))
    assert [state.status.phase for state in seen] == ["Running"]


def test_what_a_run_wrote_last_is_shown_though_it_was_gone_by_then(tmp_path: Path) -> None:
    out = build.write(tmp_path, running(2))

    def ends(out: Path) -> bool:
        build.write(tmp_path, build.cr())
        return False

    assert [seen.status.phase for seen in follow(out, lambda: None, ends)] == ["Completed"]


def test_a_status_that_nobody_goes_on_writing_is_shown_with_what_to_do(tmp_path: Path) -> None:
    out = build.write(tmp_path, running(1))
    with Folder.open(out, running(1)):
        assert "no run is at work" not in CliRunner().invoke(status, [str(out)]).stderr
    result = CliRunner().invoke(status, [str(out)])
    assert result.exit_code == 0
    assert "Running" in result.stdout
    assert "no run is at work in" in result.stderr


def test_watching_without_a_terminal_prints_plain_lines(tmp_path: Path) -> None:
    shown = ask(build.write(tmp_path), "--watch")
    assert shown == f"Completed, 3 of 3 rounds, loss 3.5555: {build.cr()['status']['message']}\n"


def test_watching_as_json_prints_a_document_a_line(tmp_path: Path) -> None:
    documents = [json.loads(text) for text in ask(build.write(tmp_path), "--watch", "-o", "json").splitlines()]
    assert [document["phase"] for document in documents] == ["Completed"]


def nothing(out: Path) -> None:
    pass


def empty(out: Path) -> None:
    out.mkdir()


def no_yaml(out: Path) -> None:
    empty(out)
    (out / "federatedlearning.yaml").write_text("status: [")


def no_text(out: Path) -> None:
    empty(out)
    (out / "federatedlearning.yaml").write_bytes(b"\xff\xfe")


def odd_status(out: Path) -> None:
    build.write(out, build.cr(phase="Perhaps"))


def odd_resource(out: Path) -> None:
    out.mkdir()
    (out / "federatedlearning.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Secret"}))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(nothing, "is no folder", id="no such folder"),
        pytest.param(empty, "holds no federatedlearning.yaml", id="another folder"),
        pytest.param(no_yaml, "is not YAML", id="broken YAML"),
        pytest.param(no_text, "no UTF-8 text", id="no text"),
        pytest.param(odd_status, "phase: Input should be 'Waiting', 'Running', 'Completed' or 'Failed'", id="another status"),
        pytest.param(odd_resource, "is not a FederatedLearning", id="another kind"),
    ],
)
def test_what_is_no_outcome_is_refused_in_one_sentence(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    make(tmp_path / "out")
    with pytest.raises(Refused, match=said) as refused:
        ask(tmp_path / "out")
    assert "\n" not in str(refused.value)


def test_a_context_without_a_namespace_is_refused() -> None:
    with pytest.raises(Refused, match="--context hub names a cluster, and -n is missing"):
        ask("photos", "--context", "hub")
