"""celSelector: CEL as OCM's environment has it, over the variable managedCluster.

The language, its type checker and the standard library are those of CEL's own C++ implementation. OCM adds
`managedCluster.scores(name)` and `parseJSON`, and takes Kubernetes' libraries. What of these is not here is refused by name.

Source: open-cluster-management.io/sdk-go, pkg/cel; ocm, pkg/placement/helpers/cel.go.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.placement import declared
from fedspoke.placement.as_read import as_read, fields_of
from fedspoke.placement.cel_functions.growth import MOST, copies

if TYPE_CHECKING:
    from cel_expr_python import cel

_STATUS = re.compile(r"[A-Z_]+: (.*?)(?: \[[A-Z_]+\])?", re.DOTALL)
_NO_KEY = re.compile(r'Key not found in map : "(.*)"')
_TEXT = re.compile(
    r'[rR]?"""(?:\\.|.)*?"""|[rR]?\'\'\'(?:\\.|.)*?\'\'\'|[rR]?"(?:\\.|[^"\n])*"|[rR]?\'(?:\\.|[^\'\n])*\'|//[^\n]*', re.DOTALL
)
_PATTERN = re.compile(rf"\.find(?:All)?\(\s*({_TEXT.pattern})", re.DOTALL)
_UNKNOWN = re.compile(r"`|(?<!\.)\bkubernetes(?=\s*\.)")
"""A later CEL's way of naming fields and the package of Kubernetes' types: known to this library, not to OCM's."""
_EXTENDED = ("string", "indexOf", "lastIndexOf")
"""Functions that are there already and get more overloads, which only an extension of the library can give them."""
_GROWS = "what copies texts or lists more than 10,000 times over"
_NOT_HERE = {
    _GROWS: re.compile("bad_alloc"),
    "the library format": re.compile("undeclared reference to '(?:format|validate)'"),
    "unwrapping a list of optionals": re.compile("undeclared reference to '(?:unwrap|unwrapOpt)'"),
    "string() of a CIDR": re.compile(r"'string' applied to '\(kubernetes\.CIDR\)'"),
    "what is nested more than 32 deep": re.compile("recursion (?:limit exceeded|depth)"),
    "what takes more than 10,000 steps of macros": re.compile("Iteration budget exceeded"),
    "sum, max or min of durations or timestamps": re.compile(r"Non-CEL value type for 'Python function"),
}


class Uncompilable(Exception):
    """An expression that OCM's environment does not compile; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression says of a cluster; `failed` is why it could not be evaluated, and then it does not hold."""

    holds: bool
    failed: str | None = None


class Environment:
    """What expressions may use, and the AddOnPlacementScores that `scores` looks at."""

    def __init__(self, scores: Sequence[Object] = ()) -> None:
        self._scores = {(declared.namespace(it), it["metadata"]["name"]): it for it in scores}
        self._compiled: dict[str, Expression] = {}
        self._fields: frozenset[str] = frozenset()
        self._cluster: Object = {}
        self._about: tuple[Any, dict[str, Outcome]] = None, {}

    def compile(self, source: str) -> "Expression":
        """One expression, once for all clusters.

        Raises:
            Uncompilable: as OCM's environment would say.
            Refused: it uses what OCM has and this does not; the sentence names it.
        """
        if source not in self._compiled:
            code = code_of(source)
            if found := _UNKNOWN.search(code):
                raise Uncompilable(
                    f"compilation failed: ERROR: <input>:1:{found.start() + 1}: undeclared reference to {found[0]!r}"
                )
            program = self._program(source, code)
            if copies(source, code) > MOST:
                raise _not_here(_GROWS, source)
            for found in _PATTERN.finditer(source):
                if code[found.start()] == ".":  # not within a literal
                    self._check_pattern(found[1])
            self._fields, self._cluster = self._fields | fields_of(code), {}
            self._compiled[source] = Expression(source, program, self)
        return self._compiled[source]

    def about(self, cluster: Object) -> tuple[Any, dict[str, Outcome]]:
        """One cluster in the library's form and what is known of it, kept for the next expression."""
        if cluster is not self._cluster:
            variables = self._library.Activation({"managedCluster": as_read(cluster, self._fields)})
            self._cluster, self._about = cluster, (variables, {})
        return self._about

    def _program(self, source: str, code: str = "") -> "cel.Expression":
        from fedspoke.placement.cel_functions.mixed_numbers import loosened

        try:
            return self._library.compile(source)
        except RuntimeError as error:
            problem = _plain(error)
            _refuse_if_not_here(problem, source)
            rewritten = loosened(source, code, problem)
        if rewritten == source:
            raise _not_here("comparing numbers of different types, neither of them written out", source)
        if rewritten is None:
            raise Uncompilable(f"compilation failed: {problem}")
        return self._program(rewritten)

    def _check_pattern(self, literal: str) -> None:
        """OCM compiles a constant pattern with the expression."""
        from fedspoke.placement.cel_functions.texts import pattern

        try:
            pattern(self._program(literal).eval().value())
        except ValueError as error:
            raise Uncompilable(f"instantiation failed: {error}") from None

    @cached_property
    def _library(self) -> "cel.Env":
        from cel_expr_python import cel  # only here: many Placements have no CEL
        from cel_expr_python.ext import ext_optional, ext_strings

        from fedspoke.placement.cel_functions import addresses, comparable, lists, texts, urls
        from fedspoke.placement.cel_functions.opaque import DYN, POOL, STRING, Overload, declared, list_of, map_of

        managed_cluster = map_of(STRING, DYN)
        scores = Overload("scores", (managed_cluster, STRING), list_of(DYN), self._scores_of)
        added = [scores, *addresses.OVERLOADS, *comparable.OVERLOADS, *lists.OVERLOADS, *texts.OVERLOADS, *urls.OVERLOADS]
        return cel.NewEnv(
            POOL,
            variables={"managedCluster": managed_cluster},
            functions=declared([it for it in added if it.function not in _EXTENDED]),
            extensions=[
                ext_strings.ExtStrings(),
                ext_optional.ExtOptional(),
                cel.CelExtension("kubernetes", declared([it for it in added if it.function in _EXTENDED])),
            ],
        )

    def _scores_of(self, cluster: Object, name: str) -> list[Object]:
        found = self._scores.get((cluster["metadata"]["name"], name))
        if found is None:
            raise ValueError(f'failed to get score: addonplacementscore.cluster.open-cluster-management.io "{name}" not found')
        # Whether they have expired is not asked, unlike where they rank.
        scores = (found.get("status") or {}).get("scores") or []
        return [{"name": it.get("name", ""), "value": it.get("value", 0)} for it in scores]


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression."""

    source: str
    _program: "cel.Expression" = field(repr=False)
    _environment: Environment = field(repr=False)

    def of(self, cluster: Object) -> Outcome:
        """What it says of a ManagedCluster: anything but true is no, as OCM has it.

        Raises:
            Refused: as `Environment.compile`, where only the evaluation shows it.
        """
        variables, known = self._environment.about(cluster)
        if self.source not in known:
            known[self.source] = self._evaluate(cluster, variables)
        return known[self.source]

    def _evaluate(self, cluster: Object, variables: Any) -> Outcome:
        try:
            result = self._program.eval(variables)
            kind = result.type().name()
            if kind != "ERROR":
                return Outcome(kind == "BOOL" and result.value() is True)
            problem = str(result.value())
        except RuntimeError as error:
            problem = str(error)
        except MemoryError:
            raise _not_here(_GROWS, self.source) from None
        except TypeError:  # an optional, which the library cannot give to Python; OCM takes what is in it
            return self._inside(cluster)
        _refuse_if_not_here(problem, self.source)
        return Outcome(False, _plain(problem))

    def _inside(self, cluster: Object) -> Outcome:
        try:
            return self._environment.compile(f"({self.source}\n).orValue(false)").of(cluster)
        except Uncompilable:  # no bool is in it
            return Outcome(False)


def code_of(source: str) -> str:
    """An expression with blanks for its literals and comments."""
    return _TEXT.sub(lambda it: " " * len(it[0]), source)


def _plain(error: object) -> str:
    text = str(error)
    found = _STATUS.fullmatch(text)
    return _NO_KEY.sub(r"no such key: \1", found[1] if found else text)


def _refuse_if_not_here(problem: str, source: str) -> None:
    for name, sign in _NOT_HERE.items():
        if sign.search(problem):
            raise _not_here(name, source)


def _not_here(what: str, source: str) -> Refused:
    return Refused(f"{what} in CEL is not evaluated here, only on a hub: take {source!r} out of celExpressions")
