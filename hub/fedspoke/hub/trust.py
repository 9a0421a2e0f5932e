"""What the hub's certificates rest on, for all federations."""

from dataclasses import dataclass

from fedspoke.hub.addon.signer import Authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The authority that signs, what both ends believe, and the hub's name in identities."""

    authority: Authority
    bundle: bytes
    """The certificates of this authority and of those before it whose leaves still live, in PEM."""
    hub: str
    """The hub cluster's id."""
