"""Only a LoRA adapter of the agreed shape gets past the hub, and whoever sent another learns which tensor it was."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import Tensor
from fedspoke.hub.aggregation import tensor_file
from fedspoke.hub.aggregation.layout import check, verify
from support import adapters

LAYOUT = adapters.layout(rank=2, layers=2, inner=8, outer=6)
A, B = LAYOUT[0], LAYOUT[1]
REST = LAYOUT[2:]


def named(name: str, rows: int = 2, columns: int = 8) -> Tensor:
    return Tensor(name=name, shape=(rows, columns))


def test_the_pairs_of_the_language_models_linear_layers_are_a_layout() -> None:
    check(LAYOUT, Lora(rank=2))


def test_the_projectors_layers_are_of_a_layout_where_they_are_to_be_trained_and_nowhere_else() -> None:
    name = "base_model.model.model.multi_modal_projector.linear_{}.lora_{}.weight"
    projector = [named(name.format(n, factor), *shape) for n in (1, 2) for factor, shape in (("A", (2, 8)), ("B", (6, 2)))]
    check((*LAYOUT, *projector), Lora(rank=2, projector=True))
    with pytest.raises(Refused, match=r"projector\.linear_1\.lora_A\.weight is no LoRA factor of a layer that is to be trained"):
        check((*LAYOUT, *projector), Lora(rank=2))
    with pytest.raises(Refused, match=r"linear_3\S+ is no LoRA factor"):
        check((*LAYOUT, named(name.format(3, "A"))), Lora(rank=2, projector=True))


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        pytest.param((), "0 tensors", id="nothing"),
        pytest.param((*LAYOUT, A), "named twice", id="a name twice"),
        pytest.param((B, *REST), "lora_B without the other", id="half a pair"),
        pytest.param((named(A.name, 3), B, *REST), r"shape \[3, 8\], which rank 2", id="A of another rank"),
        pytest.param((A, named(B.name, 6, 3), *REST), r"shape \[6, 3\], which rank 2", id="B of another rank"),
        pytest.param((named(A.name, 2, 0), B, *REST), r"shape \[2, 0\]", id="an empty A"),
        pytest.param((A, named(B.name, -6, 2), *REST), r"shape \[-6, 2\]", id="a negative size"),
        pytest.param(
            (named("base_model.model.model.vision_tower.x.q_proj.lora_A.weight"),), "vision_tower", id="the vision tower's"
        ),
        pytest.param((named(adapters.factor("embed_tokens")),), "embed_tokens", id="no LoRA factor"),
        pytest.param((named(adapters.factor("layers.0.q_proj.lora_A") + "\n"),), "no LoRA factor", id="a name with a line break"),
        pytest.param((named("../../etc/language_model.q_proj.lora_A.weight"),), "no LoRA factor", id="a path"),
        pytest.param((named(A.name, 2, 2**40), B), "larger than 4 GiB", id="more than the hub can hold"),
    ],
)
def test_a_layout_that_is_no_adapter_of_that_rank_is_refused(layout: tuple[Tensor, ...], says: str) -> None:
    with pytest.raises(Refused, match=says):
        check(layout, Lora(rank=2))


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_what_the_safetensors_library_writes_is_verified_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, rank: int, layers: int, inner: int, outer: int, seed: int
) -> None:
    layout = adapters.layout(rank, layers, inner, outer)
    path = adapters.save(adapters.drawn(layout, seed), tmp_path_factory.getbasetemp() / "library.safetensors")
    verify(path, layout)
    assert path.read_bytes().startswith(tensor_file.header(layout)), "and our own header is the library's to the byte"


def test_files_without_metadata_are_verified_too(tmp_path: Path) -> None:
    save_file(adapters.drawn(LAYOUT, 1), tmp_path / "plain.safetensors")
    verify(tmp_path / "plain.safetensors", LAYOUT)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_refused_wherever_it_is(value: float, tmp_path: Path) -> None:
    layout = adapters.layout(rank=2, layers=1, inner=600_000, outer=3)  # A is longer than a block
    arrays = adapters.drawn(layout, 1)
    arrays[layout[0].name][1, -1] = value
    with pytest.raises(Refused, match=r"lora_A\.weight holds NaN or infinity"):
        verify(adapters.save(arrays, tmp_path / "x.safetensors"), layout)


def test_the_extremes_of_fp16_are_numbers(tmp_path: Path) -> None:
    arrays = adapters.filled(LAYOUT, 65504)
    arrays[A.name][:] = -(2.0**-24)
    verify(adapters.save(arrays, tmp_path / "x.safetensors"), LAYOUT)


def without_a(arrays: dict[str, Any]) -> None:
    del arrays[A.name]


def with_another(arrays: dict[str, Any]) -> None:
    arrays["stowaway"] = np.zeros(3, np.float16)


def in_fp32(arrays: dict[str, Any]) -> None:
    arrays[B.name] = arrays[B.name].astype(np.float32)


def transposed(arrays: dict[str, Any]) -> None:
    arrays[A.name] = np.ascontiguousarray(arrays[A.name].T)


def flat(arrays: dict[str, Any]) -> None:
    arrays[A.name] = arrays[A.name].ravel()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(without_a, f"tensor {A.name} is missing", id="a tensor is missing"),
        pytest.param(with_another, "'stowaway' is not part", id="a tensor too many"),
        pytest.param(in_fp32, f"{B.name} is F32", id="another type"),
        pytest.param(transposed, rf"{A.name} has the shape \[8, 2\]", id="another shape of the same size"),
        pytest.param(flat, rf"{A.name} has the shape \[16\]", id="another number of dimensions"),
    ],
)
def test_a_file_of_other_tensors_is_refused_by_name(change: Callable[[dict[str, Any]], None], says: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = dict(adapters.drawn(LAYOUT, 1))
    change(arrays)
    with pytest.raises(Refused, match=says):
        verify(adapters.save(arrays, tmp_path / "x.safetensors"), LAYOUT)


def forged(entries: Any, data: int) -> bytes:
    """A file with this header and so many bytes of zeros."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


def entry(begin: Any, end: Any, **other: Any) -> dict[str, Any]:
    return {"dtype": "F16", "shape": [2, 8], "data_offsets": [begin, end], **other}


PAIR = adapters.layout(rank=2, layers=1, inner=8, outer=8)  # two tensors of 32 bytes
ONE, TWO = PAIR[0].name, PAIR[1].name
SECOND = entry(32, 64, shape=[8, 2])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no safetensors file", id="empty"),
        pytest.param(b"\x10\0\0", "no safetensors file", id="shorter than a length"),
        pytest.param(struct.pack("<Q", 2**63) + b"{}", "header does not fit", id="a header longer than the file"),
        pytest.param(forged(b" " * 200_000, 64), "header does not fit", id="a header longer than any of ours"),
        pytest.param(forged(b"not json", 64), "no JSON", id="no JSON"),
        pytest.param(forged(b"[" * 50_000, 64), "no JSON", id="JSON without end"),
        pytest.param(forged(b"[]", 64), "no JSON object", id="a list"),
        pytest.param(forged(b"\xff\xfe", 64), "no JSON", id="no UTF-8"),
        pytest.param(
            forged(f'{{"{ONE}":{json.dumps(entry(0, 32))},"{ONE}":{json.dumps(entry(32, 64))}}}'.encode(), 64),
            "names each tensor once",
            id="a name twice",
        ),
        pytest.param(forged({ONE: entry(0, 32), TWO: entry(0, 32, shape=[8, 2])}, 64), "begins at byte 0", id="tensors overlap"),
        pytest.param(forged({ONE: entry(0, 32), TWO: entry(34, 66, shape=[8, 2])}, 66), "begins at byte 34", id="a gap"),
        pytest.param(forged({ONE: entry(0, 30), TWO: SECOND}, 64), "does not fill", id="offsets that the shape does not fill"),
        pytest.param(forged({ONE: entry(-32, 0), TWO: SECOND}, 64), "does not fill", id="a negative offset"),
        pytest.param(
            forged({ONE: entry(0.0, 32.0), TWO: SECOND}, 64), "no dtype, shape and data_offsets", id="offsets with a point"
        ),
        pytest.param(forged({ONE: "F16", TWO: SECOND}, 64), "no dtype, shape and data_offsets", id="no entry at all"),
        pytest.param(forged({ONE: entry(0, 32), TWO: SECOND}, 63), "63 bytes of values", id="a byte too few"),
        pytest.param(forged({ONE: entry(0, 32), TWO: SECOND}, 65), "65 bytes of values", id="a byte too many"),
    ],
)
def test_a_forged_file_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "forged.safetensors"
    path.write_bytes(content)
    with pytest.raises(Refused, match=says):
        verify(path, PAIR)


@given(st.data())
def test_a_file_with_any_damage_to_its_header_is_refused_or_means_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    arrays = adapters.drawn(PAIR, 1)
    path = adapters.save(arrays, tmp_path_factory.getbasetemp() / "damaged.safetensors")
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(tensor_file.header(PAIR)) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        verify(path, PAIR)
    except Refused:
        return
    with path.open("rb") as file:
        for name, begin in tensor_file.places(file, PAIR).items():
            values = np.concatenate([piece.copy() for _, piece in tensor_file.blocks(file, begin, 16)])
            np.testing.assert_array_equal(values, arrays[name].ravel())
