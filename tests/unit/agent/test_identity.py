"""Who the agent is on its cluster."""

import json
from base64 import urlsafe_b64encode

import pytest

from fedspoke.agent.identity import service_account
from fedspoke.api.errors import Failed


@pytest.mark.parametrize("name", ["agent", "agent1", "agent12"])  # of any length: a token has no padding
def test_a_token_says_whose_it_is(name, tmp_path):
    said = {"sub": f"system:serviceaccount:addons:{name}", "kubernetes.io": {"serviceaccount": {"name": name, "uid": "7"}}}
    token = ".".join(("header", urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("="), "signature"))
    (tmp_path / "token").write_text(token)
    assert service_account(tmp_path / "token") == {"apiVersion": "v1", "kind": "ServiceAccount", "name": name, "uid": "7"}


def test_an_agent_outside_of_a_pod_says_what_it_lacks(tmp_path):
    with pytest.raises(Failed, match="token is not there: the agent runs in a pod"):
        service_account(tmp_path / "token")
