"""A key never travels: its holder makes it, asks with a request, and puts the answer beside it in one step.

On a real spoke the registration agent and the kubelet do this; the layout on disk is the kubelet's.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def request() -> tuple[bytes, bytes]:
    """A new P-256 key (PKCS #8) and a request for a certificate of it, both PEM. The signer takes no name from it."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        csr.public_bytes(Encoding.PEM),
    )


def install(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace all the files of a folder at once, as the kubelet does in a Secret's mount: a reader that watches the folder
    never sees a key beside another key's certificate.

    `folder/<name>` links to `..data/<name>`, and `..data` to a folder that is never written again. Files are 0600.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256(b"".join(hashlib.sha256(files[name]).digest() for name in sorted(files))).hexdigest()[:16]
    version, data = folder / f"..{digest}", folder / "..data"
    previous = data.resolve() if data.is_symlink() else None
    if not version.exists():  # it may, when an earlier attempt ended right here
        staging = Path(tempfile.mkdtemp(prefix="..new_", dir=folder))  # 0700
        for name, content in files.items():
            (staging / name).touch(mode=0o600)
            (staging / name).write_bytes(content)
        staging.rename(version)
    if previous != version.resolve():
        _link(data, version.name)
    for name in files:
        if not (folder / name).is_symlink():
            _link(folder / name, f"..data/{name}")
    if previous is not None and previous != version.resolve():
        shutil.rmtree(previous)


def _link(path: Path, target: str) -> None:
    temporary = path.with_name("..link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
