"""The GPU's benchmark runs wherever there is a CPU, so that the minutes on a GPU go into measuring."""

import json
import site
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from benchmarks import gpu, gpu_systems
from benchmarks.gpu_case import measure
from benchmarks.gpu_model import llava_7b, quantize
from benchmarks.gpu_report import Case, Result, table
from fedspoke.collaborator import quantization as quantizations
from fedspoke.collaborator.model import load
from support.envoy import wait_for
from support.tiny import tiny_llava

_ROOT = Path(__file__).parents[2]
_TRL = _ROOT / ".bench" / "trl" / "site-packages"


@pytest.fixture(scope="module")
def beside_trl() -> Iterator[Executor]:
    """A process that finds TRL, and with it pandas and pyarrow, which no other test should."""
    if not _TRL.exists():
        pytest.skip(f"TRL is not installed: `make {_TRL.relative_to(_ROOT)}` fetches it, and `make test` does so first")
    with ProcessPoolExecutor(1, get_context("spawn"), site.addsitedir, (str(_TRL),)) as process:
        yield process


@pytest.mark.parametrize("system", gpu_systems.SYSTEMS)
@pytest.mark.parametrize("weights", ["none", "nf4"])
@pytest.mark.parametrize("recomputing", [False, True], ids=["keeping", "recomputing"])
def test_each_system_trains_the_tiny_model_at_the_same_settings(
    system: str, weights: Any, recomputing: bool, request: pytest.FixtureRequest
) -> None:
    case = Case(system, weights, recomputing, seconds=0, tiny=True)
    result = request.getfixturevalue("beside_trl").submit(measure, case).result() if system == "TRL" else measure(case)
    assert result.failed is None
    assert result.posts_per_second
    assert result.posts_per_second > 0
    assert result.adapter == "float32"


def test_whatever_goes_wrong_with_a_case_is_its_row() -> None:
    result = measure(Case("nobody's", "nf4", checkpointing=True, seconds=0, tiny=True))
    assert result == Result("nobody's", "nf4", True, failed='KeyError: "nobody\'s"', device="cpu")


def test_the_files_are_whole_after_each_case_and_one_that_crashes_is_a_row(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "result.json"
    case = Case("fedspoke", "none", checkpointing=False, seconds=0, tiny=True)
    endless = replace(case, system="transformers", seconds=60)
    with ThreadPoolExecutor(1) as other:
        table = other.submit(gpu.each, [case, endless], out)
        wait_for(lambda: rows(out) and case_at_work(), "the first case is done and the second runs", 300)
        (first,), lines = rows(out), out.with_suffix(".md").read_text().splitlines()
        wait_for(case_at_work, "the second case runs").kill()
        assert table.result(60) == out.with_suffix(".md").read_text()
    assert first["posts_per_second"] > 0
    assert lines[-1].startswith(f"| bf16 | no | fedspoke | float32 | {first['posts_per_second']:.3g} |")
    assert rows(out)[0] == first
    assert rows(out)[1]["failed"].startswith("its process was killed by SIGKILL; ")
    said = out.with_suffix(".log").read_text().splitlines()
    assert [line for line in said if line.startswith("== ")] == [f"== {case}", f"== {endless}"]
    assert "2 of 2: transformers, bf16, keeping activations" in capfd.readouterr().err


def test_when_the_minutes_are_over_what_is_left_is_not_measured_and_the_files_say_so(tmp_path: Path) -> None:
    out, case = tmp_path / "result.json", Case("transformers", "nf4", checkpointing=False, seconds=60, tiny=True)
    gpu.each([case, case], out, minutes=0.001)
    assert [row["failed"] for row in rows(out)] == [
        f"it was cut off, as the minutes were over; {out.with_suffix('.log')} says more",
        "not measured, as the minutes were over",
    ]


@pytest.mark.skipif(bool(find_spec("trl")), reason="TRL is installed")
def test_where_trl_is_not_installed_its_row_says_so_and_where_it_comes_from(tmp_path: Path) -> None:
    gpu.each([Case("TRL", "nf4", checkpointing=False, seconds=0, tiny=True)], tmp_path / "result.json")
    assert rows(tmp_path / "result.json")[0]["failed"].startswith("TRL is not installed: `make .bench/trl/site-packages`")


def case_at_work() -> psutil.Process | None:
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # the first case's, which ends meanwhile
            if "benchmarks.gpu_case" in process.cmdline():
                return process
    return None


def rows(out: Path) -> Any:
    return json.loads(out.read_text())["results"] if out.exists() else []


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
    ours = Result("fedspoke", "bf16", False, "float32", 8.0, 20.0)
    theirs = Result("TRL", "bf16", False, "bfloat16", 6.0, 25.0)
    assert table([theirs, ours, Result("transformers", "bf16", False, failed="out of memory")])[2:] == [
        "| bf16 | no | TRL | bfloat16 | 6 | 0.75 × | 25 | 1.25 × |",
        "| bf16 | no | fedspoke | float32 | 8 | 1.00 × | 20 | 1.00 × |",
        "| bf16 | no | transformers | – | out of memory | – | – | – |",
    ]
