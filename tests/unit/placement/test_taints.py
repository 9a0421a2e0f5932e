from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.federated_learning import Object
from fedspoke.api.placement_spec import TaintToleration
from fedspoke.placement import taints
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.taints import Standing
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def taint(key: str = "gpu", value: str = "", effect: str = "NoSelect", added: str | None = "2026-11-21T11:59:00Z") -> Object:
    return {"key": key, "value": value, "effect": effect, "timeAdded": added}


def tolerates(**fields: Any) -> TaintToleration:
    return TaintToleration.model_validate(fields)


def standing(*of: Object, tolerations: list[TaintToleration] | None = None, chosen: bool = False) -> Standing:
    return taints.standing(build.cluster(taints=list(of)), tolerations or [], chosen=chosen, now=NOW)


def test_a_toleration_with_seconds_holds_until_they_are_over() -> None:
    ten_minutes = tolerates(key="gpu", operator="Exists", tolerationSeconds=600)

    assert standing(taint(), tolerations=[ten_minutes]) == Standing(until=NOW + 9 * MINUTE)


def test_one_that_is_over_keeps_the_cluster_out_and_says_when_it_was() -> None:
    found = standing(taint(), tolerations=[tolerates(key="gpu", operator="Exists", tolerationSeconds=60)]).kept_out_by

    assert found
    assert found.tolerated_until == NOW


def test_the_longest_of_several_tolerations_counts_and_the_first_taint_that_is_no_longer_tolerated() -> None:
    short, long = (tolerates(key="gpu", operator="Exists", tolerationSeconds=seconds) for seconds in (120, 600))
    other = tolerates(key="net", operator="Exists", tolerationSeconds=180)

    assert standing(taint(), tolerations=[short, long]).until == NOW + 9 * MINUTE
    assert standing(taint(), taint("net"), tolerations=[short, long, other]).until == NOW + 2 * MINUTE


def test_without_seconds_it_holds_for_ever() -> None:
    both = [tolerates(key="gpu", operator="Exists", tolerationSeconds=1), tolerates(key="gpu", operator="Exists")]

    assert standing(taint(), tolerations=both) == Standing()


@pytest.mark.parametrize(
    ("seconds", "held"),
    [
        pytest.param(0, False, id="no time at all"),
        pytest.param(9_223_372_036, True, id="the most that Go can add"),
        pytest.param(9_223_372_037, False, id="more than that is long ago"),
        pytest.param(-(2**62), False, id="a time before the taint"),
    ],
)
def test_seconds_are_added_as_go_adds_them(seconds: int, held: bool) -> None:
    found = standing(taint(), tolerations=[tolerates(key="gpu", operator="Exists", tolerationSeconds=seconds)])

    assert (found.kept_out_by is None) == held


def test_seconds_after_a_time_that_nobody_wrote_down_are_over() -> None:
    assert standing(taint(added=None), tolerations=[tolerates(key="gpu", operator="Exists", tolerationSeconds=10**9)]).kept_out_by


@pytest.mark.parametrize(
    ("toleration", "held"),
    [
        pytest.param({"key": "gpu", "value": "a100"}, True, id="the same value"),
        pytest.param({"key": "gpu"}, False, id="another value"),
        pytest.param({"key": "gpu", "operator": "Exists"}, True, id="any value"),
        pytest.param({"operator": "Exists"}, True, id="any key"),
        pytest.param({"key": "net", "operator": "Exists"}, False, id="another key"),
        pytest.param({"key": "gpu", "operator": "Exists", "effect": "NoSelectIfNew"}, False, id="another effect"),
        pytest.param({"key": "gpu", "operator": "", "value": "a100"}, True, id="an empty operator is Equal"),
        pytest.param({"key": "gpu", "operator": "In", "value": "a100"}, False, id="an operator that there is none of"),
    ],
)
def test_a_toleration_meets_key_value_and_effect(toleration: Object, held: bool) -> None:
    assert (standing(taint(value="a100"), tolerations=[tolerates(**toleration)]).kept_out_by is None) == held


def test_what_is_chosen_already_stays_in_spite_of_a_taint_for_new_ones() -> None:
    assert standing(taint(effect="NoSelectIfNew")).kept_out_by
    assert not standing(taint(effect="NoSelectIfNew"), chosen=True).kept_out_by
    assert standing(taint(effect="NoSelect"), chosen=True).kept_out_by


@pytest.mark.parametrize(
    ("toleration", "said"),
    [
        ({"value": "a100"}, "TaintToleration:If the key is empty, operator must be Exists."),
        (
            {"key": "gpu", "operator": "Exists", "value": "a"},
            "TaintToleration:If the operator is Exists, the value should be empty.",
        ),
    ],
)
def test_a_toleration_against_the_rules_is_a_misconfiguration_in_ocms_words(toleration: Object, said: str) -> None:
    with pytest.raises(Misconfigured) as found:
        taints.check([tolerates(key="fine"), tolerates(**toleration)])

    assert str(found.value) == said


KEYS = st.sampled_from(["gpu", "net"])
EFFECTS = st.sampled_from(["NoSelect", "NoSelectIfNew", "PreferNoSelect"])
TIMES = st.sampled_from([None, "2026-11-21T11:59:00Z", "2026-11-21T13:00:00+01:00", "2026-11-22T00:00:00Z"])
TAINTS = st.lists(st.builds(taint, KEYS, st.sampled_from(["", "a"]), EFFECTS, TIMES), max_size=3)
TOLERATIONS = st.builds(
    tolerates,
    key=st.none() | KEYS,
    operator=st.sampled_from(["Equal", "Exists"]),
    value=st.none() | st.just("a"),
    effect=st.none() | EFFECTS,
    tolerationSeconds=st.none() | st.sampled_from([0, 30, 90, 10**6]),
)


@given(TAINTS, st.lists(TOLERATIONS, max_size=3), TOLERATIONS, st.booleans())
def test_one_more_toleration_never_loses_a_cluster_and_never_shortens_its_time(
    of: list[Object], tolerations: list[TaintToleration], more: TaintToleration, chosen: bool
) -> None:
    before = standing(*of, tolerations=tolerations, chosen=chosen)
    after = standing(*of, tolerations=[*tolerations, more], chosen=chosen)

    if not before.kept_out_by:
        assert not after.kept_out_by
        assert after.until is None or (before.until is not None and before.until <= after.until)


@given(TAINTS, st.lists(TOLERATIONS, max_size=3))
def test_who_is_let_in_as_new_is_let_in_when_chosen(of: list[Object], tolerations: list[TaintToleration]) -> None:
    if not standing(*of, tolerations=tolerations).kept_out_by:
        assert not standing(*of, tolerations=tolerations, chosen=True).kept_out_by


@given(TAINTS, st.lists(TOLERATIONS, max_size=3), st.booleans())
def test_at_the_end_of_a_toleration_the_cluster_is_out_and_just_before_it_is_in(
    of: list[Object], tolerations: list[TaintToleration], chosen: bool
) -> None:
    until = standing(*of, tolerations=tolerations, chosen=chosen).until
    if until:
        cluster = build.cluster(taints=of)
        assert taints.standing(cluster, tolerations, chosen=chosen, now=until).kept_out_by
        just_before = until - timedelta(seconds=1)
        assert not taints.standing(cluster, tolerations, chosen=chosen, now=just_before).kept_out_by
