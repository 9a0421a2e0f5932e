"""The fleet's DNS, read by the resolver's own rules: a header, the question again, and an address, or that there is none."""

import struct

import pytest

from support.fleet.dns import answer

_A, _AAAA = 1, 28


def _question(name: str, kind: int = _A) -> bytes:
    labels = b"".join(bytes([len(it)]) + it.encode() for it in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def _address(service: str, namespace: str) -> str | None:
    return "10.0.0.9" if (service, namespace) == ("llm", "models") else None


def test_a_service_has_the_address_that_the_api_server_says() -> None:
    said = answer(_question("LLM.models.svc.cluster.local"), _address)
    assert struct.unpack_from("!6H", said) == (7, 0x8180, 1, 1, 0, 0)
    assert said.endswith(bytes([0, 4, 10, 0, 0, 9]))


def test_a_service_has_no_address_of_another_kind() -> None:
    assert struct.unpack_from("!6H", answer(_question("llm.models.svc.cluster.local", _AAAA), _address)) == (
        7,
        0x8180,
        1,
        0,
        0,
        0,
    )


@pytest.mark.parametrize("name", ["llm.others.svc.cluster.local", "llm.models.svc.others.svc.cluster.local", "example.com"])
def test_there_is_no_other_name(name: str) -> None:
    assert struct.unpack_from("!6H", answer(_question(name), _address)) == (7, 0x8183, 1, 0, 0, 0)
