"""What cannot be done yet is refused, never ignored."""

import pytest

from fedspoke.api import parse
from fedspoke.hub.unsupported import unsupported
from support import build


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"framework": "openfl"}, "spec.framework"),
        ({"server": {"listeners": [{"type": "Route"}]}}, "spec.server.listeners[0].type"),
        ({"server": {"listeners": [{"type": "Ingress"}]}}, "spec.server.listeners[0].type"),
        ({"server": {"listeners": [{"port": 30001}, {"port": 30002}]}}, "spec.server.listeners"),
        ({"server": {"storage": {"type": "HostPath", "path": "/models"}}}, "spec.server.storage.type"),
        ({"server": {"storage": {"type": "S3Bucket", "s3": {"bucketName": "models"}}}}, "spec.server.storage.type"),
        ({"privacy": {"secureAggregation": True}}, "spec.privacy.secureAggregation"),
    ],
)
def test_a_wish_that_cannot_be_met_is_named_with_what_can(spec, field):
    (sentence,) = unsupported(parse.federated_learning(build.federated_learning(**spec)).spec)
    assert sentence.startswith(f"{field} is ")
    assert "use " in sentence


def test_a_plain_federation_is_met_in_full():
    assert unsupported(parse.federated_learning(build.federated_learning()).spec) == []
