"""CEL's libraries `ip` and `cidr`. Zones and IPv4 addresses inside IPv6 ones are none, as in Kubernetes.

Source: k8s.io/apiserver, pkg/cel/library/ip.go and cidr.go; Go's net/netip.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from fedspoke.placement.cel_functions.opaque import BOOL, INT, STRING, Kubernetes, Overload, text_of

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Prefix:
    """An address with the length of its network's prefix; bits beyond the prefix are kept."""

    address: Address
    length: int

    @property
    def network(self) -> Network:
        """All addresses that share the prefix."""
        return ip_network(f"{self.address}/{self.length}", strict=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


def address(text: str) -> Address:
    """An IP address.

    Raises:
        ValueError: it is none, or has a zone, or is IPv4 inside IPv6.
    """
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError(f'IP Address "{text}" parse error during conversion from string') from None
    if isinstance(found, IPv6Address) and found.scope_id is not None:
        raise ValueError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        raise ValueError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return found


def prefix(text: str) -> Prefix:
    """An address, a slash and a length.

    Raises:
        ValueError: it is none.
    """
    base, _, length = text.rpartition("/")
    found = address(base)
    if not re.fullmatch("0|[1-9][0-9]{0,2}", length) or int(length) > found.max_prefixlen:
        raise ValueError(f'network address parse error during conversion from string: "{text}"')
    return Prefix(found, int(length))


IP = Kubernetes("IP", ip_address)
CIDR = Kubernetes("CIDR", prefix)


def _is(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _link_local_multicast(it: Address) -> bool:
    if isinstance(it, IPv4Address):
        return it in ip_network("224.0.0.0/24")
    return it.packed[0] == 0xFF and it.packed[1] & 0x0F == 0x02


def _global_unicast(it: Address) -> bool:
    broadcast = it == IPv4Address("255.255.255.255")
    return not (broadcast or it.is_unspecified or it.is_loopback or it.is_multicast or it.is_link_local)


def _contains(outer: Any, inner: Address | Network) -> bool:
    network: Network = CIDR.unwrap(outer).network
    if isinstance(inner, IPv4Address | IPv6Address):
        return inner in network
    return inner.version == network.version and network.prefixlen <= inner.prefixlen and network.overlaps(inner)


OVERLOADS = [
    Overload("ip", (STRING,), IP.type, lambda text: IP.wrap(address(text)), member=False),
    Overload("isIP", (STRING,), BOOL, lambda text: _is(address, text), member=False),
    Overload("ip.isCanonical", (STRING,), BOOL, lambda text: str(address(text)) == text, member=False),
    Overload("family", (IP.type,), INT, lambda it: IP.unwrap(it).version),
    Overload("isUnspecified", (IP.type,), BOOL, lambda it: IP.unwrap(it).is_unspecified),
    Overload("isLoopback", (IP.type,), BOOL, lambda it: IP.unwrap(it).is_loopback),
    Overload("isLinkLocalMulticast", (IP.type,), BOOL, lambda it: _link_local_multicast(IP.unwrap(it))),
    Overload("isLinkLocalUnicast", (IP.type,), BOOL, lambda it: IP.unwrap(it).is_link_local),
    Overload("isGlobalUnicast", (IP.type,), BOOL, lambda it: _global_unicast(IP.unwrap(it))),
    Overload("string", (IP.type,), STRING, text_of, member=False),
    Overload("cidr", (STRING,), CIDR.type, lambda text: CIDR.wrap(prefix(text)), member=False),
    Overload("isCIDR", (STRING,), BOOL, lambda text: _is(prefix, text), member=False),
    Overload("containsIP", (CIDR.type, STRING), BOOL, lambda it, text: _contains(it, address(text))),
    Overload("containsIP", (CIDR.type, IP.type), BOOL, lambda it, other: _contains(it, IP.unwrap(other))),
    Overload("containsCIDR", (CIDR.type, STRING), BOOL, lambda it, text: _contains(it, prefix(text).network)),
    Overload("containsCIDR", (CIDR.type, CIDR.type), BOOL, lambda it, other: _contains(it, CIDR.unwrap(other).network)),
    Overload("ip", (CIDR.type,), IP.type, lambda it: IP.wrap(CIDR.unwrap(it).address)),
    Overload("prefixLength", (CIDR.type,), INT, lambda it: CIDR.unwrap(it).length),
    Overload("masked", (CIDR.type,), CIDR.type, lambda it: CIDR.wrap(CIDR.unwrap(it).network)),
]
