"""The certificates of a run are issued, and renewed before they end."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from fedspoke.local.certificates import Certificates, authority

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def issued(tmp_path):
    made = Certificates(
        authority=authority(tmp_path / "authority", NOW),
        hub="hub-1",
        gateway=("social.demo.example", tmp_path / "gateway"),
        clusters={"berlin": tmp_path / "berlin"},
        lifetime=timedelta(hours=3),
    )
    made.keep_fresh(NOW)
    return made


def serials(tmp_path):
    return [
        x509.load_pem_x509_certificate((tmp_path / who / "tls.crt").read_bytes()).serial_number for who in ("gateway", "berlin")
    ]


def test_nothing_is_issued_before_two_thirds_of_the_life_have_passed(issued, tmp_path):
    first = serials(tmp_path)
    issued.keep_fresh(NOW + timedelta(hours=1, minutes=59))
    assert serials(tmp_path) == first


def test_all_are_renewed_then(issued, tmp_path):
    first = serials(tmp_path)
    issued.keep_fresh(NOW + timedelta(hours=2, minutes=1))
    assert not set(serials(tmp_path)) & set(first)


def test_a_run_that_goes_on_keeps_its_authority(issued, tmp_path):
    again = authority(tmp_path / "authority", NOW + timedelta(hours=1))
    assert again.certificate == issued.authority.certificate


def test_only_the_owner_reads_a_key(issued, tmp_path):
    for key in (tmp_path / "authority/ca.key", tmp_path / "gateway/tls.key", tmp_path / "berlin/tls.key"):
        assert key.stat().st_mode & 0o077 == 0


def test_both_ends_trust_the_authority(issued, tmp_path):
    issued.trust(tmp_path / "ca", tmp_path / "other")
    assert (tmp_path / "ca/ca.crt").read_bytes() == (tmp_path / "other/ca.crt").read_bytes() == issued.authority.certificate_pem
