"""What OCM's own CEL environment (OCM 1.2.0: cel-go, Kubernetes' and OCM's libraries) said of some hundred expressions over three
clusters is recorded in golden/cel_verdicts.json: one word for all three, or one for each
(tests/support/ocm_cel.py records them anew).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.placement.cel import Environment, Outcome, Uncompilable
from fedspoke.placement.counts import AtLeast
from fedspoke.placement.declared import count
from support import build

OCM = json.loads((Path(__file__).parent / "golden" / "cel_verdicts.json").read_text())
OTHERWISE_HERE = {
    "quantity('1000m').isInteger()": "true: a quantity is its value here, not how it was written",
    "quantity('1.0').isInteger()": "true: as before",
    "quantity('1.5Gi').isInteger()": "true: as before",
    "dyn(quantity('1')) == 1": "false: a quantity and a number can be compared here, and are never equal",
    "[dyn(1), dyn('a')].max() == 1": "fails: what cannot be compared has no greatest",
    "semver('18446744073709551615.0.0').major() > 0": "fails: OCM's number turns negative",
    "{'a':1, 'a':2}.a == 1": "fails: a key twice is an error here",
    "int(' 1') == 1": "true: blanks around a number are passed over here",
    "'abc'.indexOf('a', 9) == -1": "fails: an offset beyond the text is an error here",
    "''.split('') == []": "false: an empty text has one empty part here",
    "0.0/0.0 < 1.0": "false: what is no number is less than none, without an error",
    "'%q'.format(['a'])": "fails: a bad format is found here only when it is used",
    "'%d'.format(['a'])": "fails: as before",
    "'%s'.format([])": "fails: as before",
    "'x'.format([1]) == 'x'": "true: an argument that no clause takes is passed over here",
    "'é'.matches('^\\\\C')": "true: CEL's own matches knows \\\\C, a single byte",
    "quantity('1e1000') == quantity('9223372036854775807')": "true: more than 2⁶³−1 is 2⁶³−1 here, of every family",
}
NOT_HERE = [
    "['aaaaaaaaaaaaaaaa']" + ".map(x, x+x+x+x)" * 10 + ".size() == 1",
    "[[1]]" + ".map(x, [x,x,x,x])" * 10 + ".size() == 1",
    "+".join(["1"] * 32) + " == 32",
    "(" * 33 + "true" + ")" * 33,
    "'a'" + ".trim()" * 31 + " == 'a'",
    "string(cidr('10.1.2.3/8')) == '10.1.2.3/8'",
    "[duration('1h'),duration('30m')].sum() == duration('90m')",
    "[timestamp('2020-01-01T00:00:00Z'), timestamp('2021-01-01T00:00:00Z')].max() == timestamp('2021-01-01T00:00:00Z')",
    "optional.unwrap([optional.of(1), optional.none()]) == [1]",
    "[optional.of(1), optional.none()].unwrapOpt() == [1]",
    "format.dns1123Label().validate('a').hasValue()",
    "format.named('dns1123Label').hasValue()",
    "!format.dns1123Label().validate('a').hasValue()",
    "'a'.validate('b')",
    "[1].all(c, (int(c)) < (2.5))",
    "[1].all(c, int(c) < double(c))",
]


SHARED = Environment()


def verdicts(expression: str) -> str:
    try:
        compiled = Environment(OCM["scores"]).compile(expression)
    except Uncompilable:
        return "uncompilable"
    outcomes = [compiled.of(cluster) for cluster in OCM["clusters"]]
    words = ["fails" if it.failed else str(it.holds).lower() for it in outcomes]
    return words[0] if len(set(words)) == 1 else " ".join(words)


def test_an_expression_says_of_a_cluster_what_it_says_in_ocm() -> None:
    alike = OCM["verdicts"].keys() - OTHERWISE_HERE.keys() - set(NOT_HERE)

    assert {each: verdicts(each) for each in alike} == {each: OCM["verdicts"][each] for each in alike}


def test_where_it_says_something_else_the_reason_is_written_down() -> None:
    assert {each: verdicts(each) for each in OTHERWISE_HERE} == {
        each: reason.partition(":")[0] for each, reason in OTHERWISE_HERE.items()
    }


@pytest.mark.parametrize("expression", NOT_HERE)
def test_what_is_not_here_is_refused_by_name_and_never_false(expression: str) -> None:
    with pytest.raises(Refused, match="is not evaluated here, only on a hub: take") as refused:
        verdicts(expression)

    assert repr(expression) in str(refused.value)


def of(expression: str, *scores: Object, **cluster: Any) -> Outcome:
    return Environment(scores).compile(expression).of(build.cluster(**cluster))


def test_what_takes_too_many_steps_is_refused_in_no_time() -> None:
    numbers = f"[{', '.join(map(str, range(30)))}]"

    with pytest.raises(Refused, match="what takes more than 10,000 steps"):
        of(f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, a + b + c >= 0)))")


@pytest.mark.parametrize(
    "expression",
    [
        "'aa'" + ".replace('a', 'aaaaaaaa')" * 16 + ".size() > 0",
        "[[1]]" + ".map(x, x+x+x+x)" * 16 + ".size() == 1",
        "['aa']" + ".map(x, x.replace('', x))" * 5 + ".size() == 1",
        "['ab']" + ".map(x, [x, x, x].join(x))" * 5 + ".size() == 1",
        "['a']" + "".join(f".exists({it}, [{it}+{it}+{it}+{it}]" for it in "abcdefgh") + ".size() > 0" + ")" * 8,
    ],
)
def test_what_would_fill_the_memory_is_refused_before_it_is_evaluated(expression: str) -> None:
    with pytest.raises(Refused, match="copies texts or lists more than 10,000 times over"):
        Environment().compile(expression)


def test_what_people_write_copies_little() -> None:
    one = "managedCluster.status.clusterClaims.exists(c, c.name in ['a', 'b', 'c'] && int(c.value) >= 1)"
    texts = "managedCluster.status.clusterClaims.map(c, c.name + '=' + c.value).join(',') != ''"
    cut = "managedCluster.metadata.name.replace('v', '').replace('-rc', '') != ''"

    for expression in (" || ".join([one] * 12), f"{texts} && {texts}", f"{cut} || {cut}"):
        assert of(expression, claims={"a": "1"}).holds


def test_no_pattern_takes_more_than_its_text() -> None:
    holds = of("managedCluster.metadata.name.find('(a+)+$') == ''", name="a" * 32 + "!")

    assert holds == Outcome(True)


def test_what_cannot_be_evaluated_says_why() -> None:
    assert of("managedCluster.metadata.labels.zone == 'a'", labels={"a": "b"}) == Outcome(False, "no such key: zone")
    assert of("int(managedCluster.metadata.name) > 1") == Outcome(False, "cannot convert string to int")


def test_what_does_not_compile_says_where() -> None:
    with pytest.raises(Uncompilable) as found:
        Environment().compile("managedCluster.metadata.name == cluster1")

    assert str(found.value) == (
        "compilation failed: ERROR: <input>:1:33: undeclared reference to 'cluster1' (in container '')\n"
        " | managedCluster.metadata.name == cluster1\n"
        " | ................................^"
    )


def test_what_a_literal_says_is_no_code() -> None:
    assert not of("managedCluster.metadata.name == \".find('(') `kubernetes.Quantity\"").failed
    assert of("managedCluster.metadata.name == 'cluster1' // `\n&& 'managedCluster.status' != ''").holds


def test_scores_are_those_of_the_cluster_itself_and_count_when_they_have_expired() -> None:
    free = "managedCluster.scores('federated-learning').exists(it, it.name == 'gpusFree' && it.value > 0)"

    assert of(free, build.scores("cluster1", gpusFree=1)).holds
    assert of(free, build.scores("cluster1", gpusFree=1, until="2020-01-01T00:00:00Z")).holds
    assert not of(free, build.scores("cluster1", gpusFree=-1)).holds
    assert of(free, build.scores("cluster2", gpusFree=1)).failed == (
        'failed to get score: addonplacementscore.cluster.open-cluster-management.io "federated-learning" not found'
    )


def test_one_environment_keeps_clusters_and_expressions_apart() -> None:
    environment = Environment()
    by_name, by_label = (environment.compile(f"managedCluster.metadata.{it}") for it in ("name == 'a'", "labels.x == '1'"))
    a, b = build.cluster("a", labels={"x": "2"}), build.cluster("b", labels={"x": "1"})

    assert [by_name.of(a).holds, by_label.of(a).holds] == [True, False]
    assert [by_name.of(b).holds, by_label.of(b).holds] == [False, True]
    later = environment.compile("managedCluster.spec.hubAcceptsClient")
    assert later.of(b).holds


@given(st.from_regex(r"[+-]?[0-9]{1,18}|[a-z.]?", fullmatch=True), st.integers(1, 2**63 - 1))
@example("007", 7)
def test_our_own_count_is_the_one_by_which_platforms_are_chosen(value: str, least: int) -> None:
    cluster = build.cluster(claims={"other": "5", "posts": value})

    assert SHARED.compile(AtLeast("posts", least).cel()).of(cluster).holds == ((count(cluster, "posts") or 0) >= least)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("managedCluster.?spec.?hubAcceptsClient // whether it is ours", True),
        ("optional.of(false)", False),
        ("optional.none()", False),
        ("managedCluster.?metadata.?name", False),
    ],
)
def test_an_optional_holds_if_true_is_in_it(expression: str, holds: bool) -> None:
    assert Environment().compile(expression).of(build.cluster()) == Outcome(holds)
