"""What every part of the FederatedLearning resource is made of: frozen values with rules that span fields."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

Object = dict[str, Any]
"""A Kubernetes object as it is on the wire."""

BROKEN_RULES = "broken_rules"
"""Type of the one pydantic error in which an object reports its broken rules; they are in its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What must hold between fields of one object, said twice: for the API server and for Python.

    `message` completes "<field> …"; `field` is the name on the wire at which a person would mend it.
    """

    field: str
    message: str
    cel: str
    holds: Callable[[Any], bool]


class Api(BaseModel):
    """A frozen value with camelCase names outside; an unknown field is an error, since a typo must not pass in silence."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        # As the API server does it: null in a field that is not nullable means that the field is not there.
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields.items()
        never_null = {name for field, info in fields if not allows_null(info.annotation) for name in (field, info.alias)}
        return {name: value for name, value in data.items() if value is not None or name not in never_null}

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = [rule for rule in self.rules if not rule.holds(self)]
        if broken:
            text = "; ".join(f"{rule.field} {rule.message}" for rule in broken)
            raise PydanticCustomError(BROKEN_RULES, "{text}", {"text": text, "broken": broken})
        return self


class Reported(Api):
    """A part of the status: written by the hub, which may be newer than its reader, so unknown fields are passed over."""

    model_config = ConfigDict(extra="ignore")


def allows_null(annotation: Any) -> bool:
    """Whether a field's type is `… | None`."""
    return type(None) in getattr(annotation, "__args__", ())
