"""What the fleet writes to a kubeconfig is what anybody reads there: where the API server is, and who asks."""

from pathlib import Path

import pytest

from support.fleet import kubeconfig
from support.fleet.certificates import Authority

URL = "https://10.99.0.1:6443"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_who_is_known_by_a_token_says_it_with_every_question(authority: Authority, tmp_path: Path) -> None:
    access = kubeconfig.read(kubeconfig.write(tmp_path / "user", URL, authority.certificate, "secret"))

    assert (access.url, access.headers) == (URL, {"authorization": "Bearer secret"})


def test_who_is_known_by_a_certificate_says_nothing_else(authority: Authority, tmp_path: Path) -> None:
    admin = authority.issue("admin", "system:masters")

    access = kubeconfig.read(kubeconfig.write(tmp_path / "user", URL, authority.certificate, admin))

    assert access.headers == {}
    assert [it["subject"] for it in access.trust.get_ca_certs()] == [((("commonName", "fleet"),),)]


def test_a_kubeconfig_is_for_its_owner_alone(authority: Authority, tmp_path: Path) -> None:
    file = kubeconfig.write(tmp_path / "user", URL, authority.certificate, "secret")

    assert file.stat().st_mode & 0o077 == 0
