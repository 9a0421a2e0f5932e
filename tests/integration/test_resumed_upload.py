"""An upload over the whole wire, sidecar and gateway, whose line is cut on the way: the rest is sent, not all of it again."""

from dataclasses import replace
from pathlib import Path

from fedspoke.api.training import AdapterPrivacy
from fedspoke.collaborator import transfer
from fedspoke.hub.aggregation.exchange import Exchange, serve
from fedspoke.hub.aggregation.initial import initial
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.terms import Terms
from fedspoke.hub.aggregation.uploads import Uploads
from fedspoke.hub.gateway import files
from support import adapters, certificates, wire
from support.envoy import running
from support.federation import tickets
from support.relay import relay
from support.wire import POSTS, RUN

MIB = 1 << 20
CUTS = (16 * MIB, 16 * MIB)
IN_FLIGHT = 7 * MIB  # the buffers of two sockets on loopback and of the gateway
LAYOUT = adapters.layout(rank=16, layers=8, inner=1 << 16, outer=1 << 16)  # 32 MiB


def test_a_line_that_is_cut_twice_costs_what_was_in_flight(tmp_path: Path) -> None:
    ours = certificates.authority()
    certificates.bundle(tmp_path / "ca", ours)
    certificates.server(tmp_path / "server", ours, POSTS)
    certificates.client(tmp_path / "cluster1", ours, "cluster1")
    start, trained = tmp_path / "start", adapters.save(adapters.drawn(LAYOUT, 1), tmp_path / "trained")
    uploads = Uploads(tmp_path / "uploads", Releases(tmp_path / "releases.json", AdapterPrivacy()))
    uploads.open(1, {"cluster1": Terms(start, initial(LAYOUT, "social.posts", start), LAYOUT)})
    with wire.services() as behind, serve(Exchange("social.posts", uploads, tickets()), 0) as port:
        federation = replace(wire.federation("posts", behind, "cluster1"), adapters=port)
        with (
            running(tmp_path / "gateway", files(wire.gateway(tmp_path), [federation])) as hub,
            relay(hub.port, CUTS) as line,
            wire.running_sidecar(wire.dialling(tmp_path, "cluster1", line.port)) as (spoke, _),
        ):
            transfer.send(f"http://127.0.0.1:{spoke.port}{RUN}/rounds/1/adapter", trained, 10, 60)
    upload = uploads.left(1, "cluster1")
    assert upload is not None
    assert upload.path.read_bytes() == trained.read_bytes()
    out = [len(piece) for (_, way), piece in line.passed.items() if way == "out"]
    assert out[: len(CUTS)] == list(CUTS)
    size = trained.stat().st_size
    assert sum(out) < 1.01 * size + len(CUTS) * IN_FLIGHT, "TLS adds less than a percent"
