"""What leaves a machine: each connection that crosses its cable, who began it, how much went out, and its first bytes.

`-m support.fleet.capture FILE` writes it as JSON, and again every second, until it is killed.
"""

import json
import socket
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fedspoke.api import files
from support.fleet.machine import Machine
from support.fleet.wait import until

_CABLE = "eth0"
_IPV4, _TCP, _UDP, _SYN, _ACK = 0x0800, 6, 17, 0x02, 0x10
_SERVED = (6443, 10250)
"""Ports of the machine's own API server and kubelet, to which tests speak before anybody looks."""
_ALL = 3  # ETH_P_ALL: with another one the kernel keeps what goes out to itself
_TLS = b"\x16\x03"
"""A handshake's first two bytes."""
_TESTS = Path(__file__).parents[2]
_SECONDS = 60


@dataclass
class Connection:
    """One flow of packets, as the machine sees it."""

    to: str
    port: int
    protocol: int
    began_here: bool | None = None
    """None: it was there before anybody looked."""
    sent: int = 0
    """Bytes without headers."""
    head: str = ""
    """The first that was sent, in hex."""

    @property
    def hidden(self) -> bool:
        """Whether what was sent is TLS, as far as its beginning was seen."""
        return self.began_here is None or not self.sent or self.head.startswith(_TLS.hex())


@contextmanager
def capturing(machine: Machine, file: Path) -> Iterator[None]:
    """Look at the machine's cable for the length of the block; `connections` says what was seen."""
    machine.start("capture", "env", f"PYTHONPATH={_TESTS}", sys.executable, "-m", __name__, file)
    until("the cable is looked at", file.exists, _SECONDS, [machine.processes["capture"]])
    try:
        yield
    finally:
        seen = file.stat().st_mtime_ns
        until("all was written down", lambda: file.stat().st_mtime_ns > seen, _SECONDS, [machine.processes["capture"]])
        machine.kill("capture")


def connections(file: Path) -> list[Connection]:
    """What was seen."""
    return [Connection(**each) for each in json.loads(file.read_text())]


def main(file: Path) -> None:
    found: dict[tuple[int, int, str, int], Connection] = {}
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    packets.bind((_CABLE, _ALL))
    packets.settimeout(1)
    written = 0.0
    while True:
        if time.monotonic() - written > 1:
            files.replace(file, json.dumps([asdict(each) for each in found.values()]).encode())
            written = time.monotonic()
        try:
            packet, (_, protocol, direction, *_rest) = packets.recvfrom(1 << 16)
        except TimeoutError:
            continue
        if protocol == _IPV4:
            _take(found, packet, out=direction == socket.PACKET_OUTGOING)


def _take(found: dict[tuple[int, int, str, int], Connection], packet: bytes, *, out: bool) -> None:
    header, length, protocol = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0], packet[9]
    if protocol not in (_TCP, _UDP):
        return
    there = socket.inet_ntoa(packet[16:20] if out else packet[12:16])
    source, target = struct.unpack("!HH", packet[header : header + 4])
    here, port = (source, target) if out else (target, source)
    begun = False if here in _SERVED else None
    flow = found.setdefault((protocol, here, there, port), Connection(there, port, protocol, begun))
    body = header + 8
    if protocol == _TCP:
        body = header + (packet[header + 12] >> 4) * 4
        if packet[header + 13] & (_SYN | _ACK) == _SYN:
            flow.began_here, flow.head = out, ""
    elif flow.began_here is None:
        flow.began_here = out
    if out and length > body:
        flow.head = flow.head or packet[body : body + 16].hex()
        flow.sent += length - body


def sent_to(seen: list[Connection]) -> dict[tuple[str, int], int]:
    """Bytes by where they went, of all that the machine itself began."""
    total: dict[tuple[str, int], int] = defaultdict(int)
    for each in seen:
        if each.began_here is not False and each.sent:  # a switch shows a machine what is for others, too
            total[each.to, each.port] += each.sent
    return dict(total)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
