"""The hub's certificate authority on this machine, and the certificates that it keeps fresh while a run goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from fedspoke.hub.addon.signer import LIFETIME, Authority
from fedspoke.local import identity
from fedspoke.local.folder import write
from fedspoke.manifestworks.envoy import AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE

_AUTHORITY_LIFETIME = timedelta(days=365)
_RENEWED_AT = 2 / 3  # of its life, as kubelets and cert-manager do


@dataclass(slots=True)
class Certificates:
    """Whom the hub knows: one server certificate for the gateway, one client certificate for each chosen cluster."""

    authority: Authority
    hub: str
    gateway: tuple[str, Path]  # server name, folder
    clusters: Mapping[str, Path]
    lifetime: timedelta = LIFETIME
    renewal: datetime | None = field(default=None)

    def keep_fresh(self, now: datetime) -> None:
        """Issue all of them at first, and again once two thirds of their life have passed."""
        if self.renewal and now < self.renewal:
            return
        name, folder = self.gateway
        key, certificate = self.authority.issue_server([name], now=now, lifetime=self.lifetime)
        identity.install(folder, {KEY_FILE: key, CERTIFICATE_FILE: certificate})
        for cluster, folder in self.clusters.items():
            key, csr = identity.request()
            certificate = self.authority.sign_client(csr, cluster=cluster, hub=self.hub, now=now, lifetime=self.lifetime)
            identity.install(folder, {KEY_FILE: key, CERTIFICATE_FILE: certificate})
        self.renewal = now + self.lifetime * _RENEWED_AT

    def trust(self, *folders: Path) -> None:
        """Put the authority's certificate where the gateways look for it."""
        for folder in folders:
            identity.install(folder, {AUTHORITY_FILE: self.authority.certificate_pem})


def authority(folder: Path, now: datetime) -> Authority:
    """The authority that `folder` holds; a new one where it holds none."""
    key, certificate = folder / "ca.key", folder / AUTHORITY_FILE
    if not certificate.exists():
        made = Authority.create("fedspoke", now=now, lifetime=_AUTHORITY_LIFETIME)
        write(key, made.key_pem.decode(), mode=0o600)
        write(certificate, made.certificate_pem.decode())
    return Authority.load(key.read_bytes(), certificate.read_bytes())
