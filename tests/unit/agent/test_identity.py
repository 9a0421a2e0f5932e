"""Who the agent is on its cluster."""

import json
from base64 import urlsafe_b64encode

import pytest

from fedspoke.agent.identity import service_account


@pytest.mark.parametrize("name", ["agent", "agent1", "agent12"])  # of any length: a token has no padding
def test_a_token_says_whose_it_is(name):
    said = {"sub": f"system:serviceaccount:addons:{name}", "kubernetes.io": {"serviceaccount": {"name": name, "uid": "7"}}}
    token = ".".join(("header", urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("="), "signature"))
    assert service_account(token) == {"apiVersion": "v1", "kind": "ServiceAccount", "name": name, "uid": "7"}
