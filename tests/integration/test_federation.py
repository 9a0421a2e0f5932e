"""One federation, start to end: the demo's example, with every link real but the Kubernetes API."""

import base64
import json
import math
from pathlib import Path

import pytest

from fedspoke.collaborator.training import Trainer
from fedspoke.data import records
from support import whole_run


@pytest.fixture(scope="module")
def done():
    return whole_run.outcome()


def clusters(done):
    return sorted((done.out / "clusters").iterdir())


def posts(done):
    """(cluster, folder of images, records) of each platform of each cluster."""
    return [
        (cluster.name, folder, records.load(folder))
        for cluster in clusters(done)
        for folder in sorted((cluster / "records").iterdir())
    ]


def test_it_is_completed_and_says_so(done):
    assert done.document["status"]["phase"] == "Completed"
    assert done.document["status"]["rounds"] == {"completed": 3, "total": 3}
    conditions = {condition["type"]: condition["status"] for condition in done.document["status"]["conditions"]}
    assert conditions == {
        "PlacementSatisfied": "True",
        "AggregatorReady": "True",
        "CollaboratorsReady": "True",
        "Training": "False",
        "ModelSaved": "True",
        "ProfilesFused": "True",
        "Degraded": "False",
    }


def test_a_reader_of_the_status_sees_every_phase_in_order(done):
    phases = list(dict.fromkeys(status.phase for status in done.statuses))
    assert phases == ["Waiting", "Running", "Completed"]


def test_clusters_that_declare_data_take_part_and_the_other_is_told_why_not(done):
    placement = json.loads((done.out / "placement.json").read_text())
    assert [decision["clusterName"] for decision in placement["decisions"]] == ["berlin", "lyon"]
    (rejected,) = placement["rejected"]
    assert rejected["clusterName"] == "oslo"
    assert "declares" in rejected["reason"]


def test_the_loss_falls_from_round_to_round(done):
    losses = [json.loads(line)["loss"] for line in (done.out / "rounds.jsonl").read_text().splitlines()]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)


def test_the_global_adapter_loads_with_peft_and_is_better_than_none_on_every_clusters_posts(done):
    from fedspoke.api import parse

    fl = parse.federated_learning({**parse.document(done.out / "federatedlearning.yaml"), "status": {}})
    trainer = Trainer(str(done.example / "model"), fl.spec.training)
    adapter = done.out / "global" / "adapter_model.safetensors"
    for _, folder, found in posts(done):
        assert trainer.loss(found, folder, adapter) < trainer.loss(found, folder, None)


def test_the_global_folder_is_one_that_peft_loads(done):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(done.example / "model")
    loaded = PeftModel.from_pretrained(model, done.out / "global")
    assert any(
        name.endswith("lora_B.default.weight") and parameter.abs().sum() > 0 for name, parameter in loaded.named_parameters()
    )


def test_each_cluster_keeps_its_own_adapter_and_profile(done):
    for cluster in clusters(done):
        assert (cluster / "lora_weights" / "adapter_model.safetensors").is_file()
        assert (cluster / "lora_weights" / "adapter_config.json").is_file()
        assert json.loads((cluster / "profile.json").read_text())["cluster"] == cluster.name


def test_the_general_profile_is_made_of_both_platforms(done):
    profile = json.loads((done.out / "general_profile.json").read_text())
    assert {(part["cluster"], part["platform"]) for part in profile["parts"]} == {("berlin", "facebook"), ("lyon", "instagram")}
    assert math.isclose(math.hypot(*profile["embedding"]), 1, rel_tol=1e-5)
    assert all(part["noise"]["epsilon"] == 8 for part in profile["parts"])


def test_the_report_shows_every_cluster(done):
    page = (done.out / "report.html").read_text()
    assert all(name in page for name in ("berlin", "lyon", "oslo"))


def test_nothing_is_left_running(done):
    assert done.left == []


def test_the_hubs_processes_together_stay_below_900_mb(done):
    assert 0 < done.machine.peak < 900e6


def test_certificates_that_are_renewed_after_round_1_are_taken_by_both_ends_and_no_request_fails(done):
    log = [json.loads(line) for line in (done.out / "logs" / "gateway-access.log").read_text().splitlines()]
    requests = [entry for entry in log if "path" in entry]
    for cluster in ("berlin", "lyon"):
        serials = {entry["serial"] for entry in requests if entry["identity"].endswith(f"/cluster/{cluster}")}
        assert len(serials) == 2
    codes = [entry["code"] for entry in requests]
    running = codes[codes.index(200) : len(codes) - codes[::-1].index(200)]  # before it and after it the SuperLink is not there
    assert set(running) <= {200, 201, 206}


def spoken(done) -> bytes:
    return b"".join(kept.everything() for kept in done.machine.relays.values())


def test_the_recording_holds_what_was_sent(done):
    said = spoken(done)
    assert b"POST /v1/fleet/" in said
    assert b"content-encoding" not in said.lower()
    for cluster in clusters(done):
        assert (cluster / "lora_weights" / "adapter_model.safetensors").read_bytes() in said


def test_no_text_of_a_post_leaves_its_cluster(done):
    said = spoken(done)
    texts = [record.text for _, _, found in posts(done) for record in found]
    assert len(texts) > 15
    for text in texts:
        for part in {text, text[:16], text[-16:]}:
            for form in (part.encode(), part.encode("utf-16-le"), json.dumps(part)[1:-1].encode()):
                assert form not in said
                assert base64.b64encode(form).rstrip(b"=")[:-1] not in said


def test_no_file_name_of_an_export_leaves_its_cluster(done):
    said = spoken(done)
    names = [path.name for path in (done.example / "exports").rglob("*") if path.is_file()]
    names += [path.name for _, folder, _ in posts(done) for path in (folder / "images").iterdir()]
    assert len(names) > 20
    for name in names:
        stem = Path(name).stem
        assert (stem if len(stem) > 5 else name).encode() not in said


def test_no_piece_of_a_photograph_leaves_its_cluster(done):
    from PIL import Image

    said = spoken(done)
    photographs = [path for path in (done.example / "exports").rglob("*") if path.suffix in (".jpg", ".webp", ".png")]
    photographs += [path for _, folder, _ in posts(done) for path in (folder / "images").iterdir()]
    assert len(photographs) > 20
    for path in photographs:
        content = path.read_bytes()
        with Image.open(path) as image:
            pixels = image.convert("RGB").tobytes()
        for data in (content, pixels):
            for place in range(1, 8):
                start = len(data) * place // 8
                piece = data[start : start + 48]
                if len(set(piece)) > 12:  # an even surface could stand anywhere
                    assert piece not in said


def test_the_hub_holds_no_text_of_a_post(done):
    texts = [record.text[:16].encode() for _, _, found in posts(done) for record in found]
    kept = [path for path in (done.out / "hub").rglob("*") if path.is_file()]
    kept += [path for path in done.out.iterdir() if path.is_file()] + list((done.out / "logs").glob("hub-*"))
    for path in kept:
        content = path.read_bytes()
        assert not [text for text in texts if text in content], path
