"""Who else reads a cluster's posts before it trains on them: a model behind an OpenAI-compatible endpoint of the same cluster.

A federation may ask for it, and each cluster's owner has to allow it (`fedspoke.agent.policy`). A post's text goes to a Service
of the cluster, or on one machine to loopback, and nowhere else.
"""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from fedspoke.api.base import Api, Rule
from fedspoke.api.units import Duration

KEY_VARIABLE = "FEDSPOKE_CURATION_KEY"
"""The environment's, that has the endpoint's API key where it wants one."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_REST = r"(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~-]+)*$"
_SERVICE = rf"^http://{_LABEL}\.{_LABEL}\.svc(\.cluster\.local)?{_REST}"
_LOOPBACK = rf"^http://(127\.0\.0\.1|localhost){_REST}"
_ENDPOINT = f"{_SERVICE}|{_LOOPBACK}"
_LONGEST = 300


def _endpoint(value: Any) -> str:
    if isinstance(value, str) and len(value) <= _LONGEST and re.search(_ENDPOINT, value, re.ASCII) and "\n" not in value:
        return value
    raise ValueError(
        "must be an address of the spoke's own cluster: a Service as http://llm.models.svc:8000/v1 (or ….svc.cluster.local), "
        "with `fedspoke run` one of loopback as http://127.0.0.1:8000/v1"
    )


Endpoint = Annotated[
    str,
    BeforeValidator(_endpoint, json_schema_input_type=str),
    Field(json_schema_extra={"pattern": _ENDPOINT, "maxLength": _LONGEST}),
]


class Curation(Api):
    """A model of the spoke's own cluster judges each post before it is trained on."""

    endpoint: Endpoint = Field(
        description="The OpenAI-compatible endpoint, a Service of the spoke's own cluster: http://llm.models.svc:8000/v1."
    )
    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="What the endpoint calls the model.")
    max_requests: Annotated[int, Field(ge=1)] = Field(
        5000, description="Requests of one cluster at most; a post that none was left for is not trained on."
    )
    max_tokens: Annotated[int, Field(ge=8, le=1000)] = Field(
        32, description="Tokens of an answer at most, which is one word of a list, as JSON."
    )
    request_timeout: Duration = Field(timedelta(minutes=1), description="How long the endpoint may be silent in a request.")

    rules = (
        Rule(
            field="requestTimeout",
            message="must be longer than 0s",
            cel="duration(self.requestTimeout) > duration('0s')",
            holds=lambda it: it.request_timeout > timedelta(0),
        ),
    )

    @property
    def in_cluster(self) -> bool:
        """Whether the endpoint is a Service, and not on loopback, where on a cluster the way to the hub begins."""
        return re.search(_SERVICE, self.endpoint) is not None
