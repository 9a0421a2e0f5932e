"""The sender of a request is the cluster in its certificate, or nobody."""

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.names import identity as spiffe
from fedspoke.hub import identity

URI = f"URI={spiffe('hub-7f3a', 'cluster1')}"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"Hash=ab12;{URI}", id="as the gateway writes it"),
        pytest.param(
            f'By=spiffe://hub/gateway;Hash=ab12;Subject="CN=cluster2,O=\\"x;URI=y\\"";{URI}', id="a subject with everything"
        ),
        pytest.param(f"Hash=ab12;{URI};DNS=a.example;DNS=b.example", id="names that do not matter"),
        pytest.param('URI="spiffe://hub/cluster/cluster1"', id="quoted"),
    ],
)
def test_the_uri_of_the_certificate_names_the_cluster(header: str) -> None:
    assert identity.cluster([header]) == "cluster1"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no header"),
        pytest.param([""], id="an empty one"),
        pytest.param([URI, URI], id="two headers"),
        pytest.param([f"{URI},{URI}"], id="two hops"),
        pytest.param([f"Hash=1,{URI}"], id="a hop that hides another"),
        pytest.param([f"{URI};{URI}"], id="two identities"),
        pytest.param([f"{URI};URI=spiffe://hub/cluster/cluster2"], id="two different identities"),
        pytest.param(["Hash=ab12"], id="a certificate without an identity"),
        pytest.param(['Subject="CN=x;URI=spiffe://hub/cluster/cluster1"'], id="an identity inside a subject"),
        pytest.param(["URI=spiffe://hub/cluster/cluster1/x"], id="a longer path"),
        pytest.param(["URI=spiffe://hub/ns/cluster1"], id="another kind of identity"),
        pytest.param(["URI=spiffe://hub/x/cluster/cluster1"], id="a hub with a slash"),
        pytest.param(["URI=https://hub/cluster/cluster1"], id="no SPIFFE ID"),
        pytest.param(["URI=spiffe://hub/cluster/"], id="no name"),
        pytest.param(["URI=spiffe://hub/cluster/.."], id="a path instead of a name"),
        pytest.param(["URI=spiffe://hub/cluster/Cluster1"], id="a name that Kubernetes has not"),
        pytest.param(["URI=spiffe://hub/cluster/cluster1\n"], id="a line break"),
        pytest.param(["cluster1"], id="no pair"),
    ],
)
def test_a_request_that_does_not_name_exactly_one_cluster_is_nobodys(headers: list[str]) -> None:
    with pytest.raises(Refused):
        identity.cluster(headers)
