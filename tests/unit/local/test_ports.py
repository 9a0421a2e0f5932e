"""Ports of this machine."""

import socket

import pytest

from fedspoke.api import parse
from fedspoke.api.errors import Failed
from fedspoke.local import ports
from support import build


def test_ports_that_are_given_together_differ_and_can_be_listened_on():
    given = ports.free(20)
    assert len(set(given)) == 20
    for port in given:
        socket.create_server(("127.0.0.1", port)).close()


def listening_on(port):
    return parse.federated_learning(
        build.federated_learning(server={"listeners": [{"name": "public", "type": "NodePort", "port": port}]})
    )


def test_the_gateway_listens_where_the_cr_says():
    (port,) = ports.free(1)
    assert ports.listener(listening_on(port)) == port


def test_a_listener_whose_port_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failed, match=rf"spec.server.listeners\[0\].port is {port}"):
            ports.listener(listening_on(port))


def test_without_a_listener_any_free_port_will_do():
    assert ports.listener(parse.federated_learning(build.federated_learning())) > 0
