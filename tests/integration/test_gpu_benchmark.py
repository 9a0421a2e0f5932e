"""The GPU's benchmark runs wherever there is a CPU, so that the minutes on a GPU go into measuring."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import Result, table
from benchmarks.gpu_model import llava_7b, quantize
from fedspoke.collaborator import quantization as quantizations
from fedspoke.collaborator.model import load
from support.tiny import tiny_llava


def test_each_system_trains_the_tiny_model_with_and_without_quantisation_and_recomputing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.main(["--tiny", "--seconds", "0", "--out", str(tmp_path / "new" / "result.json")])
    results = json.loads((tmp_path / "new" / "result.json").read_text())["results"]
    cases = {(result["system"], result["weights"], result["checkpointing"]) for result in results}
    assert len(cases) == len(results)
    assert {
        (system, weights, on) for system in ("fedspoke", "transformers") for weights in ("fp32", "nf4") for on in (True, False)
    } <= cases
    assert all(result["posts_per_second"] > 0 for result in results)
    assert "| fp32 | no | fedspoke |" in capsys.readouterr().out


def test_the_random_model_is_as_large_as_llava_1_5_7b() -> None:
    model = llava_7b(load(str(tiny_llava()))[0], torch.device("meta"))
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_063_427_072


def test_quantising_in_place_is_what_loading_with_quantisation_does() -> None:
    in_place, loaded = load(str(tiny_llava()))[1], load(str(tiny_llava()), "nf4")[1]
    quantize(in_place)
    quantizations.check(in_place, "nf4")
    inputs = {"input_ids": torch.arange(20, 60)[None]}
    with torch.inference_mode():
        torch.testing.assert_close(in_place(**inputs).logits, loaded(**inputs).logits)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        gpu.main([])
    assert end.value.code == 2
    assert "this machine has none" in capsys.readouterr().err


def test_the_table_compares_each_with_ours_and_says_what_did_not_fit() -> None:
    ours, theirs = Result("fedspoke", "bf16", False, 8.0, 20.0), Result("TRL", "bf16", False, 6.0, 25.0)
    assert table([theirs, ours, Result("transformers", "bf16", False, failed="out of memory")])[2:] == [
        "| bf16 | no | TRL | 6 | 0.75 × | 25 | 1.25 × |",
        "| bf16 | no | fedspoke | 8 | 1.00 × | 20 | 1.00 × |",
        "| bf16 | no | transformers | out of memory | – | – | – |",
    ]
