"""Where a federation may have posts judged: on the spoke itself, and nowhere else."""

import pytest

from fedspoke.api import parse
from fedspoke.api.curation import Curation
from fedspoke.api.errors import Refused
from support import build


def asked(endpoint: str) -> Curation | None:
    document = build.federated_learning(client={"curation": {"endpoint": endpoint, "model": "llama"}})
    return parse.federated_learning(document).spec.client.curation


@pytest.mark.parametrize(
    ("endpoint", "in_cluster"),
    [
        ("http://llm.models.svc:8000/v1", True),
        ("http://llm.models.svc.cluster.local/v1", True),
        ("http://a.b.svc", True),
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost:8000/openai/v1", False),
    ],
)
def test_an_endpoint_is_a_service_or_on_loopback(endpoint: str, in_cluster: bool) -> None:
    found = asked(endpoint)
    assert found
    assert (found.endpoint, found.in_cluster) == (endpoint, in_cluster)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://api.example.com/v1",
        "https://api.openai.com/v1",
        "http://llm.models.svc.example.com/v1",
        "http://llm.models.svc@example.com/v1",
        "http://someone:key@llm.models.svc/v1",
        "http://example.com/llm.models.svc",
        "http://example.com#.models.svc/v1",
        "http://example.com?.models.svc",
        "http://llm.svc/v1",
        "http://a.b.c.svc/v1",
        "http://127.0.0.1.example.com/v1",
        "http://127.0.0.2/v1",
        "http://169.254.169.254/v1",
        "http://[::1]/v1",
        "http://llm.models.svc:0/v1",
        "http://llm.models.svc/v1\n",
        "http://LLM.models.svc/v1",
        "http://llm.mödels.svc/v1",
        "file:///etc/passwd",
        "",
    ],
)
def test_any_other_address_is_refused_with_what_is_allowed(endpoint: str) -> None:
    with pytest.raises(Refused) as refused:
        asked(endpoint)
    assert "spec.client.curation.endpoint is " in str(refused.value)
    assert "must be an address of the spoke's own cluster: a Service as http://llm.models.svc:8000/v1" in str(refused.value)
