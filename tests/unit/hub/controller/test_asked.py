"""What a hub does not run of what an API server takes."""

import pytest

from fedspoke.api.errors import Refused
from fedspoke.hub.controller.asked import supported
from support import build

ON_LOOPBACK = {"endpoint": "http://127.0.0.1:9091/v1", "model": "llama"}


def test_an_endpoint_on_loopback_is_refused_as_a_pods_own_loopback_leads_to_the_hub() -> None:
    with pytest.raises(Refused, match="which only `fedspoke run` can reach: use a Service of the spokes' clusters"):
        supported(build.federated_learning(client={"curation": ON_LOOPBACK}))


def test_a_service_is_taken() -> None:
    asked = ON_LOOPBACK | {"endpoint": "http://llm.models.svc/v1"}
    assert supported(build.federated_learning(client={"curation": asked})).spec.client.curation
