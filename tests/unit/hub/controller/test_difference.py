"""What is applied and what goes; what is right already is left alone."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.base import Object
from fedspoke.hub.controller.difference import covers, difference, stamped

_leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["1Gi", "1024Mi", "500m"])
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
_objects = st.dictionaries(st.text(max_size=3), _values, max_size=4)


def applied(live: Object, wanted: Object) -> Object:
    """What server-side apply leaves: lists are replaced, all else is put together."""
    both = {name: (live.get(name), it) for name, it in wanted.items()}
    return live | {
        name: applied(old if isinstance(old, dict) else {}, it) if isinstance(it, dict) else copy.deepcopy(it)
        for name, (old, it) in both.items()
    }


def config_map(name: str = "files", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def going(it: Object) -> Object:
    return it | {"metadata": it["metadata"] | {"deletionTimestamp": "2026-11-21T12:00:00Z"}}


@given(_objects, _objects)
def test_what_was_applied_is_covered(live: Object, wanted: Object):
    assert covers(applied(live, wanted), wanted)


@given(_objects)
def test_everything_covers_itself_and_nothing_at_all(it: Object):
    assert covers(it, it)
    assert covers(it, {})


@given(_objects, _objects, st.text(max_size=3), _leaves)
def test_one_more_wish_that_is_not_there_is_not_covered(live: Object, wanted: Object, name: str, value: object):
    assert not covers(applied(live, wanted) | {name: {"another": 1}}, wanted | {name: [value]})


def test_a_list_of_another_length_or_order_is_another():
    assert not covers({"args": ["a", "b", "c"]}, {"args": ["a", "b"]})
    assert not covers({"args": ["b", "a"]}, {"args": ["a", "b"]})


def test_a_quantity_that_is_written_otherwise_is_the_same():
    assert covers({"storage": "1Gi"}, {"storage": "1024Mi"})
    assert not covers({"storage": "1Gi"}, {"storage": "1000Mi"})


def test_what_is_right_is_neither_applied_nor_deleted():
    it = config_map(a="1")
    assert difference([it], [stamped(it) | {"data": {"a": "1", "added": "by others"}}]) == ([], [])


def test_what_is_missing_or_differs_is_applied():
    changed, new = config_map("one", a="2"), config_map("two")
    assert difference([changed, new], [stamped(config_map("one", a="1"))]).apply == [stamped(changed), stamped(new)]


def test_a_field_that_is_wanted_no_longer_is_a_difference():
    live = stamped(config_map(a="1", b="2"))
    assert difference([config_map(a="1")], [live]).apply == [stamped(config_map(a="1"))]


def test_what_is_wanted_no_longer_goes():
    live = stamped(config_map())
    assert difference([], [live]).delete == [live]


def test_what_is_being_deleted_is_left_to_go():
    live = going(config_map(a="1"))
    assert difference([config_map(a="2")], [live]) == ([], [])
    assert difference([], [live]) == ([], [])
