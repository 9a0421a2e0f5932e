"""What each cluster is given, and what is demanded of what it leaves."""

from pathlib import Path

import numpy as np
import pytest

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.federated_learning import Lora
from fedspoke.hub.aggregation import layout as layouts
from fedspoke.hub.aggregation.terms import Terms, terms
from support import adapters

LAYOUT = adapters.layout(rank=4)
CLUSTERS = ("cluster1", "cluster2", "cluster3")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return adapters.save(adapters.drawn(LAYOUT, 1), tmp_path / "3.safetensors")


def given(adapter: Path, lora: str = "average", **ranks: int) -> dict[str, Terms]:
    way = Aggregation.model_validate({"lora": lora})
    return terms(CLUSTERS, way, Lora(rank=4, ranks=ranks), LAYOUT, adapter, adapters.digest(adapter))


def test_all_fetch_the_global_adapter_and_leave_one_like_it(adapter: Path) -> None:
    assert given(adapter) == dict.fromkeys(CLUSTERS, Terms(adapter, adapters.digest(adapter), LAYOUT))
    assert list(adapter.parent.iterdir()) == [adapter]


def test_under_ffa_all_fetch_the_global_adapter_and_leave_its_b(adapter: Path) -> None:
    upload = tuple(tensor for tensor in LAYOUT if layouts.is_b(tensor))
    assert given(adapter, "ffa") == dict.fromkeys(CLUSTERS, Terms(adapter, adapters.digest(adapter), upload))
    assert [tensor.name.endswith("lora_B.weight") for tensor in upload] == [True, True]


def test_a_cluster_of_a_lower_rank_fetches_the_first_directions_and_leaves_as_many(adapter: Path) -> None:
    found = given(adapter, "svd", cluster2=1, cluster3=1)
    assert found["cluster1"] == Terms(adapter, adapters.digest(adapter), LAYOUT)
    assert found["cluster2"] == found["cluster3"]
    path, digest, upload = found["cluster2"].adapter, found["cluster2"].digest, found["cluster2"].upload
    assert digest == adapters.digest(path)
    assert upload == adapters.layout(rank=1)
    whole, cut = adapters.load(adapter), adapters.load(path)
    for tensor in LAYOUT:
        first = whole[tensor.name][:, :1] if layouts.is_b(tensor) else whole[tensor.name][:1]
        np.testing.assert_array_equal(cut[tensor.name], first)


def test_each_lower_rank_is_written_once_and_those_of_other_rounds_go(adapter: Path) -> None:
    before = adapters.save(adapters.drawn(LAYOUT, 2), adapter.with_name("2.safetensors"))
    given(before, "svd", cluster2=1)
    given(adapter, "svd", cluster1=2, cluster2=1, cluster3=2)
    assert {path.name for path in adapter.parent.iterdir()} == {"2.safetensors", "3.safetensors", "3.rank1", "3.rank2"}
