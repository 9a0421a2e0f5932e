"""Adapters change hands over a real HTTP server: what is whole and right exists once, and of the rest nothing is left."""

import base64
import hashlib
import http.client
import json
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from fedspoke.api.errors import Failed
from fedspoke.api.names import identity
from fedspoke.api.records import Tensor
from fedspoke.collaborator import transfer
from fedspoke.hub import loopback
from fedspoke.hub.aggregation import releases, spool
from fedspoke.hub.aggregation.exchange import Exchange, serve
from fedspoke.hub.aggregation.initial import initial
from fedspoke.hub.aggregation.releases import Releases
from fedspoke.hub.aggregation.slot import Dropped
from fedspoke.hub.aggregation.terms import Terms
from fedspoke.hub.aggregation.uploads import Uploads
from support import adapters
from support.envoy import wait_for
from support.federation import NOISED, tickets
from support.relay import relay

RUN = "default.social"
LAYOUT = adapters.layout(rank=4, layers=2, inner=1000, outer=500)  # 24 kB
ADAPTER = f"/v1/runs/{RUN}/rounds/1/adapter"


def headers(cluster: str) -> dict[str, str]:
    """As the gateway sets them."""
    return {"x-forwarded-client-cert": f"Hash=ab12;URI={identity('hub-7f3a', cluster)}"}


def claims(body: bytes, examples: int = 10) -> dict[str, str]:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"Content-Digest": f"sha-256=:{digest}:", "Fedspoke-Examples": str(examples)}


def terms_of(adapter: Path, digest: str, *clusters: str, layout: Sequence[Tensor] = LAYOUT) -> dict[str, Terms]:
    return dict.fromkeys(clusters, Terms(adapter, digest, tuple(layout)))


def whole(body: bytes) -> dict[str, str]:
    """Which upload is meant, where not all of it is sent."""
    return {"Repr-Digest": claims(body)["Content-Digest"]}


def follows(body: bytes, begin: int) -> dict[str, str]:
    return {**whole(body), "Fedspoke-Examples": "10", "Content-Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"}


@dataclass(frozen=True)
class Hub:
    """A served exchange in whose round 1 cluster1 and cluster2 take part."""

    uploads: Uploads
    port: int
    folder: Path
    adapter: Path
    digest: str

    def get(self, cluster: str = "cluster1", path: str = ADAPTER, **extra: str) -> httpx.Response:
        return httpx.get(self.url(path), headers={**headers(cluster), **extra})

    def put(self, body: bytes, cluster: str = "cluster1", path: str = ADAPTER, **extra: str) -> httpx.Response:
        sent = {**headers(cluster), **claims(body), **extra}
        return httpx.put(self.url(path), content=body, headers=sent)

    def rest(self, body: bytes, begin: int, cluster: str = "cluster1", **extra: str) -> httpx.Response:
        sent = {**headers(cluster), **follows(body, begin), **extra}
        return httpx.put(self.url(ADAPTER), content=body[begin:], headers=sent)

    def ask(self, body: bytes, cluster: str = "cluster1", path: str = ADAPTER) -> tuple[int, str]:
        """How much of it is here, and whether it was taken."""
        response = httpx.head(self.url(path), headers={**headers(cluster), **whole(body)})
        assert response.status_code == 204
        return int(response.headers["upload-offset"]), response.headers["upload-complete"]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def came(self) -> int:
        """Bytes of the one upload of cluster1 that is under way."""
        arrivals = self.uploads._rounds[max(self.uploads._rounds)]["cluster1"].arriving
        return sum(arrival.size + sum(map(len, arrival._pending)) for arrival in arrivals)

    def released(self) -> dict[str, int]:
        """Cluster → how many noised adapters are on its account."""
        return releases.counts(self.folder.parent / releases.FILE)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@contextmanager
def exchange(folder: Path, layout: Sequence[Tensor], sender: str | None = None) -> Iterator[Hub]:
    """A served exchange; with a sender, all that comes is said to be that cluster's, as a gateway would say it."""
    adapter = folder / "round-1.safetensors"
    digest = initial(layout, RUN, adapter)
    uploads = Uploads(folder / "uploads", Releases(folder / releases.FILE, NOISED))
    uploads.open(1, terms_of(adapter, digest, "cluster1", "cluster2", layout=layout))
    app = Exchange(RUN, uploads, tickets()).app

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        said = [(name.encode(), value.encode()) for name, value in headers(sender).items()] if sender else []
        await app({**scope, "headers": [*scope["headers"], *said]}, receive, send)

    with loopback.serving(gateway, 0) as port:
        yield Hub(uploads, port, folder / "uploads", adapter, digest)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with exchange(tmp_path, LAYOUT) as served:
        yield served


def trained(tmp_path: Path, seed: int = 1) -> bytes:
    return adapters.save(adapters.drawn(LAYOUT, seed), tmp_path / f"trained-{seed}.safetensors").read_bytes()


def error(response: httpx.Response) -> str:
    """The one sentence that every refusal is."""
    (sentence,) = response.json().values()
    assert "\n" not in sentence
    return str(sentence)


# Fetching.


def test_a_cluster_fetches_the_adapter_that_the_round_starts_from(hub: Hub) -> None:
    response = hub.get()
    assert response.status_code == 200
    assert hashlib.sha256(response.content).hexdigest() == hub.digest
    assert response.headers["etag"] == f'"{hub.digest}"'


def test_a_download_that_broke_off_is_resumed(hub: Hub) -> None:
    whole = hub.adapter.read_bytes()
    rest = hub.get(Range="bytes=1000-", **{"If-Range": f'"{hub.digest}"'})
    assert rest.status_code == 206
    assert rest.headers["content-range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
    assert rest.content == whole[1000:]
    assert hub.get(Range=f"bytes={len(whole)}-").status_code == 416


def test_a_resumed_download_of_another_adapter_begins_anew(hub: Hub) -> None:
    response = hub.get(Range="bytes=1000-", **{"If-Range": '"another"'})
    assert (response.status_code, response.content) == (200, hub.adapter.read_bytes())


def test_a_cluster_that_has_the_adapter_is_not_sent_it_again(hub: Hub) -> None:
    response = hub.get(**{"If-None-Match": f'"other", "{hub.digest}"'})
    assert (response.status_code, response.content) == (304, b"")


def test_what_was_sent_is_counted_by_cluster(hub: Hub) -> None:
    size = hub.adapter.stat().st_size
    hub.get("cluster1")
    hub.get("cluster1", Range="bytes=0-99")
    hub.get("cluster2", Range="bytes=0-9")
    assert (hub.uploads.sent(1, "cluster1"), hub.uploads.sent(1, "cluster2")) == (size + 100, 10)


@pytest.mark.parametrize("path", [f"/v1/runs/{RUN}/rounds/2/adapter", "/v1/runs/default.other/rounds/1/adapter", "/v1/runs", "/"])
def test_there_is_nothing_elsewhere(hub: Hub, path: str) -> None:
    for response in (hub.get(path=path), hub.put(b"x", path=path)):
        assert response.status_code == 404
        assert error(response)


def test_the_final_adapter_is_there_to_be_read_only(hub: Hub, tmp_path: Path) -> None:
    hub.uploads.open(2, terms_of(hub.adapter, hub.digest, "cluster1"), uploads=False)
    final = f"/v1/runs/{RUN}/rounds/2/adapter"
    assert hub.get(path=final).content == hub.adapter.read_bytes()
    assert hub.put(trained(tmp_path), path=final).status_code == 410
    assert hub.get("cluster2", path=final).status_code == 403


def test_each_cluster_fetches_and_leaves_what_its_terms_say(hub: Hub, tmp_path: Path) -> None:
    own = adapters.layout(rank=2, layers=2, inner=1000, outer=500)
    other = adapters.save(adapters.drawn(own, 5), tmp_path / "rank2")
    terms = {"cluster1": Terms(hub.adapter, hub.digest, LAYOUT), "cluster2": Terms(other, adapters.digest(other), own)}
    hub.uploads.open(2, terms)
    second = f"/v1/runs/{RUN}/rounds/2/adapter"
    assert hub.get("cluster1", path=second).content == hub.adapter.read_bytes()
    assert hub.get("cluster2", path=second).content == other.read_bytes()
    assert hub.get("cluster2", path=second).headers["etag"] == f'"{adapters.digest(other)}"'
    body = adapters.save(adapters.drawn(own, 6), tmp_path / "trained").read_bytes()
    assert hub.put(body, "cluster2", second).status_code == 201
    refused = hub.put(body, "cluster1", second)
    assert (refused.status_code, "has the shape" in error(refused)) == (422, True)


# Leaving.


def test_an_upload_exists_once_it_is_whole_and_verified(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    assert hub.uploads.left(1, "cluster1") is None
    assert hub.put(body, **{"Fedspoke-Examples": "37"}).status_code == 201
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert (upload.examples, upload.size, upload.digest) == (37, len(body), hashlib.sha256(body).hexdigest())
    assert upload.path.read_bytes() == body
    assert hub.uploads.left(1, "cluster2") is None


def test_the_same_bytes_again_are_welcome_and_others_are_not(hub: Hub, tmp_path: Path) -> None:
    first, second = trained(tmp_path, 1), trained(tmp_path, 2)
    assert [hub.put(body).status_code for body in (first, first, second)] == [201, 200, 409]
    assert hub.put(first, **{"Fedspoke-Examples": "11"}).status_code == 409, "nor is another weight for the same bytes"
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert (upload.path.read_bytes(), upload.examples) == (first, 10)
    assert hub.files() == [upload.path.name]


def test_every_noised_adapter_that_came_whole_is_on_its_clusters_account_whatever_became_of_it(hub: Hub, tmp_path: Path) -> None:
    kept, other, late = (trained(tmp_path, seed) for seed in (1, 2, 3))
    assert hub.put(kept).status_code == 201
    assert hub.released() == {"cluster1": 1}
    assert hub.put(kept).status_code == 200
    assert hub.released() == {"cluster1": 1}, "the same bytes tell nothing new"
    assert hub.put(other).status_code == 409
    assert hub.released() == {"cluster1": 2}
    with begun(hub, late) as closing:
        wait_for(hub.came, "an upload under way")
        hub.uploads.close(1)
        assert closing.finish() == 410
    assert hub.released() == {"cluster1": 3}
    hub.uploads.open(2, terms_of(hub.adapter, hub.digest, "cluster1"))
    assert hub.put(kept, path=f"/v1/runs/{RUN}/rounds/2/adapter").status_code == 201
    assert hub.released() == {"cluster1": 4}, "of another round"


def test_what_is_no_adapter_is_no_release(hub: Hub, tmp_path: Path) -> None:
    other = adapters.layout(rank=3, layers=2, inner=1000, outer=500)
    assert hub.put(adapters.save(adapters.drawn(other, 1), tmp_path / "other.safetensors").read_bytes()).status_code == 422
    assert hub.put(trained(tmp_path), **{"Content-Digest": f"sha-256=:{'A' * 43}=:"}).status_code == 400
    assert hub.released() == {}


def test_two_clusters_leave_theirs_at_once(hub: Hub, tmp_path: Path) -> None:
    bodies = {"cluster1": trained(tmp_path, 1), "cluster2": trained(tmp_path, 2)}
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda cluster: hub.put(bodies[cluster], cluster).status_code, bodies))
    assert answers == [201, 201]
    for cluster, body in bodies.items():
        upload = hub.uploads.left(1, cluster)
        assert upload is not None
        assert upload.path.read_bytes() == body


@pytest.mark.parametrize(("seed", "statuses"), [(1, [200, 201]), (2, [201, 409])], ids=["the same bytes", "other bytes"])
def test_of_two_uploads_of_one_cluster_at_once_one_wins(hub: Hub, tmp_path: Path, seed: int, statuses: list[int]) -> None:
    with begun(hub, trained(tmp_path, 1)) as one, begun(hub, trained(tmp_path, seed)) as two:
        wait_for(lambda: len(hub.files()) == 2, "two uploads under way")
        assert sorted((one.finish(), two.finish())) == statuses
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert hub.files() == [upload.path.name]


def test_one_cluster_cannot_fill_the_disk_with_uploads_that_never_end(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    with begun(hub, body), begun(hub, body), begun(hub, body), begun(hub, body):
        wait_for(lambda: len(hub.files()) == 4, "four uploads under way")
        assert hub.put(body).status_code == 429
        assert hub.put(trained(tmp_path, 2), "cluster2").status_code == 201


# Refusals leave nothing behind.


def assert_nothing_was_left(hub: Hub) -> None:
    assert hub.uploads.left(1, "cluster1") is None
    assert wait_for(lambda: not hub.files(), "an empty folder")


@pytest.mark.parametrize(
    ("sender", "says"),
    [
        pytest.param({}, "did not come through the gateway", id="nobody"),
        pytest.param(headers("cluster3"), "cluster3 takes no part", id="a cluster that was not chosen"),
        pytest.param(headers("cluster11"), "cluster11 takes no part", id="a cluster with a similar name"),
        pytest.param({"x-forwarded-client-cert": "URI=cluster1"}, "names no cluster", id="a certificate without an identity"),
    ],
)
def test_only_the_rounds_clusters_take_part(hub: Hub, tmp_path: Path, sender: dict[str, str], says: str) -> None:
    body, url = trained(tmp_path), f"http://127.0.0.1:{hub.port}{ADAPTER}"
    for response in (httpx.put(url, content=body, headers={**sender, **claims(body)}), httpx.get(url, headers=sender)):
        assert response.status_code == 403
        assert says in error(response)
    assert_nothing_was_left(hub)


@pytest.mark.parametrize(
    ("extra", "status", "says"),
    [
        pytest.param({"Content-Digest": ""}, 400, "Content-Digest", id="no digest"),
        pytest.param({"Content-Digest": "sha-256=:YWJj:"}, 400, "Content-Digest", id="a digest of another length"),
        pytest.param({"Content-Digest": f"sha-512=:{'A' * 43}=:"}, 400, "Content-Digest", id="a digest of another kind"),
        pytest.param({"Content-Digest": f"sha-256=:{'A' * 43}=:"}, 400, "not those of the digest", id="another body's digest"),
        pytest.param({"Fedspoke-Examples": ""}, 400, "Fedspoke-Examples", id="no examples"),
        pytest.param({"Fedspoke-Examples": "0"}, 400, "1 to 1000000000", id="trained on nothing"),
        pytest.param({"Fedspoke-Examples": "-5"}, 400, "1 to 1000000000", id="a negative weight"),
        pytest.param({"Fedspoke-Examples": "1e9"}, 400, "1 to 1000000000", id="a weight that is no count"),
        pytest.param({"Fedspoke-Examples": "1000000001"}, 400, "1 to 1000000000", id="a weight that outvotes the world"),
    ],
)
def test_an_upload_says_what_it_is(hub: Hub, tmp_path: Path, extra: dict[str, str], status: int, says: str) -> None:
    response = hub.put(trained(tmp_path), **extra)
    assert (response.status_code, says in error(response)) == (status, True)
    assert_nothing_was_left(hub)


def test_an_upload_without_a_length_is_not_begun(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    sent = {**headers("cluster1"), **claims(body)}
    response = httpx.put(f"http://127.0.0.1:{hub.port}{ADAPTER}", content=iter([body]), headers=sent)
    assert (response.status_code, "Content-Length" in error(response)) == (411, True)
    assert_nothing_was_left(hub)


def test_an_upload_larger_than_any_adapter_is_refused_by_its_length(hub: Hub, tmp_path: Path) -> None:
    response = hub.put(trained(tmp_path) + bytes(1 << 17))
    assert (response.status_code, "at most" in error(response)) == (413, True)
    assert_nothing_was_left(hub)


def test_wrong_tensors_are_refused_by_name(hub: Hub, tmp_path: Path) -> None:
    other = adapters.layout(rank=3, layers=2, inner=1000, outer=500)
    body = adapters.save(adapters.drawn(other, 1), tmp_path / "other.safetensors").read_bytes()
    response = hub.put(body)
    assert (response.status_code, "lora_A.weight has the shape [3, 1000]" in error(response)) == (422, True)
    assert_nothing_was_left(hub)


def test_a_value_that_is_no_number_is_refused_by_its_tensor(hub: Hub, tmp_path: Path) -> None:
    arrays = adapters.drawn(LAYOUT, 1)
    arrays[LAYOUT[3].name][-1, -1] = np.nan
    response = hub.put(adapters.save(arrays, tmp_path / "nan.safetensors").read_bytes())
    assert response.status_code == 422
    assert error(response) == f"tensor {LAYOUT[3].name} holds NaN or infinity"
    assert_nothing_was_left(hub)


def test_a_round_that_is_closed_takes_nothing_more(hub: Hub, tmp_path: Path) -> None:
    hub.put(trained(tmp_path, 1))
    hub.uploads.close(1)
    response = hub.put(trained(tmp_path, 2), "cluster2")
    assert (response.status_code, error(response)) == (410, "round 1 is closed")
    assert hub.put(trained(tmp_path, 1)).status_code == 410
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert upload.path.exists(), "what came in time may still be folded"


def test_an_upload_that_is_under_way_when_the_round_closes_is_too_late(hub: Hub, tmp_path: Path) -> None:
    with begun(hub, trained(tmp_path)) as late:
        wait_for(hub.files, "an upload under way")
        hub.uploads.close(1)
        assert late.finish() == 410
    assert_nothing_was_left(hub)


def test_an_upload_of_before_its_cluster_was_asked_anew_makes_way_for_the_one_that_follows(hub: Hub, tmp_path: Path) -> None:
    with begun(hub, trained(tmp_path, 1)) as stale:
        wait_for(hub.came, "an upload under way")
        hub.uploads.forget(1, "cluster1")
        assert stale.finish() == 410
    assert hub.uploads.dropped() == Dropped(late=1)
    fresh = trained(tmp_path, 2)
    assert hub.put(fresh).status_code == 201
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert upload.path.read_bytes() == fresh
    assert hub.files() == [upload.path.name]


def test_what_is_left_does_not_fall_to_an_upload_of_before_its_cluster_was_asked_anew(hub: Hub, tmp_path: Path) -> None:
    with begun(hub, trained(tmp_path, 1)) as stale:
        wait_for(hub.came, "an upload under way")
        hub.uploads.forget(1, "cluster1")
        assert hub.put(trained(tmp_path, 1)).status_code == 201
        assert stale.finish() == 410
    assert hub.ask(trained(tmp_path, 1))[1] == "?1"


def test_an_upload_that_was_cut_before_its_cluster_was_asked_anew_may_go_on_after_it(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 15_000)
    hub.uploads.forget(1, "cluster1")
    assert hub.rest(body, kept).status_code == 201


def test_whoever_is_still_sending_hears_the_refusal_too(hub: Hub) -> None:
    body = bytes(1 << 24)  # more than the sockets between the two hold
    assert hub.put(body).status_code == 413
    hub.uploads.close(1)
    assert hub.put(body).status_code == 410


def test_an_upload_for_a_round_that_was_opened_anew_meanwhile_is_too_late(hub: Hub, tmp_path: Path) -> None:
    with begun(hub, trained(tmp_path)) as late:
        wait_for(hub.files, "an upload under way")
        hub.uploads.open(1, {"cluster1": Terms(hub.adapter, hub.digest, adapters.layout(rank=3))})
        assert late.finish() == 410
    assert_nothing_was_left(hub)


def test_a_full_disk_is_said_so(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    with no_room_after(len(body) // 2):
        response = hub.put(body)
    assert (response.status_code, "no room" in error(response)) == (507, True)
    assert_nothing_was_left(hub)
    assert hub.put(body).status_code == 201, "and when there is room again, the hub goes on"


# A cut line.


def test_an_upload_that_was_cut_goes_on_where_it_was_cut(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 15_000)
    assert hub.uploads.left(1, "cluster1") is None, "a part is no upload"
    assert hub.rest(body, kept).status_code == 201
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert (upload.path.read_bytes(), upload.size, upload.examples) == (body, len(body), 10)
    assert hub.files() == [upload.path.name]
    assert hub.ask(body) == (len(body), "?1"), "whose answer was lost learns that it was taken"


def test_it_may_be_cut_again_and_begin_anew(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    first = cut(hub, body, 10_000)
    second = cut(hub, body, 20_000, begin=first)
    assert second == 20_000
    assert hub.put(body).status_code == 201, "a whole upload needs nothing of what came before"
    assert wait_for(lambda: len(hub.files()) == 1, "the upload alone")


def test_whoever_asks_ends_the_request_that_the_hub_still_waits_for(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    with begun(hub, body) as still:  # a line that is dead, of which the hub has not heard
        wait_for(lambda: hub.came() == len(body) - 1, "all but the last byte")
        assert hub.ask(body) == (len(body) - 1, "?0")
        assert still.answer() == 408
    assert hub.rest(body, len(body) - 1).status_code == 201


def test_an_upload_that_stands_still_is_given_up_and_may_go_on(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = trained(tmp_path)
    with monkeypatch.context() as impatient:
        impatient.setattr(spool, "_SLOWEST", 0.1)
        with begun(hub, body) as still:
            assert still.answer() == 408
    assert hub.rest(body, hub.ask(body)[0]).status_code == 201


def test_nothing_is_known_of_what_never_came(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    assert hub.ask(body) == (0, "?0")
    refused = hub.rest(body, 100)
    assert (refused.status_code, refused.headers["upload-offset"]) == (409, "0")
    assert_nothing_was_left(hub)


@pytest.mark.parametrize("begin", [14_999, 15_001])
def test_a_rest_that_leaves_a_gap_or_writes_twice_is_refused_with_the_right_offset(hub: Hub, tmp_path: Path, begin: int) -> None:
    body = trained(tmp_path)
    assert cut(hub, body, 15_000) == 15_000
    refused = hub.rest(body, begin)
    assert (refused.status_code, refused.headers["upload-offset"]) == (409, "15000")
    assert hub.rest(body, 15_000).status_code == 201


def test_no_cluster_goes_on_with_anothers_upload(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 15_000)
    assert hub.ask(body, "cluster2") == (0, "?0")
    assert hub.rest(body, kept, "cluster2").status_code == 409
    assert hub.ask(body) == (kept, "?0"), "nor is it lost by that"


def test_a_rest_that_makes_another_file_is_dropped_whole(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 15_000)
    forged = hub.rest(body[:-1] + bytes([body[-1] ^ 1]), kept, **{"Repr-Digest": claims(body)["Content-Digest"]})
    assert (forged.status_code, "not those of the digest" in error(forged)) == (400, True)
    assert_nothing_was_left(hub)
    assert hub.ask(body) == (0, "?0")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("bytes 15000-24000", id="no whole"),
        pytest.param("bytes 15000-15009/{size}", id="not the whole rest"),
        pytest.param("bytes 15001-{last}/{size}", id="another length than is sent"),
        pytest.param("bytes 0-{last}/{size}", id="no rest"),
        pytest.param("bytes 15000-{last}/*", id="of unknown size"),
        pytest.param("lines 15000-{last}/{size}", id="another unit"),
    ],
)
def test_a_rest_says_where_it_belongs(hub: Hub, tmp_path: Path, value: str) -> None:
    body = trained(tmp_path)
    cut(hub, body, 15_000)
    response = hub.rest(body, 15_000, **{"Content-Range": value.format(last=len(body) - 1, size=len(body))})
    assert (response.status_code, "Content-Range" in error(response)) == (400, True)
    assert hub.ask(body) == (15_000, "?0")


def test_of_two_that_go_on_at_once_one_writes(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 15_000)
    with begun(hub, body, begin=kept) as one:
        wait_for(hub.came, "the rest under way")
        refused = hub.rest(body, kept)
        assert (refused.status_code, refused.headers["upload-offset"]) == (409, "0")
        assert one.finish() == 201
    upload = hub.uploads.left(1, "cluster1")
    assert upload is not None
    assert upload.path.read_bytes() == body


def test_of_each_cluster_one_cut_upload_is_kept(hub: Hub, tmp_path: Path) -> None:
    for seed in range(1, 7):
        cut(hub, trained(tmp_path, seed), 20_000)
    assert len(hub.files()) == 1
    assert hub.ask(trained(tmp_path, 6)) == (20_000, "?0")
    assert hub.ask(trained(tmp_path, 1)) == (0, "?0")


def test_what_was_cut_is_gone_with_its_round(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 15_000)
    hub.uploads.close(1)
    assert hub.files() == []
    assert hub.rest(body, kept).status_code == 410
    assert httpx.head(hub.url(ADAPTER), headers={**headers("cluster1"), **whole(body)}).status_code == 410
    hub.uploads.open(2, terms_of(hub.adapter, hub.digest, "cluster1"))
    second = f"/v1/runs/{RUN}/rounds/2/adapter"
    cut(hub, body, 15_000, path=second)
    hub.uploads.open(3, terms_of(hub.adapter, hub.digest, "cluster1"))
    assert hub.files() == []


def test_a_full_disk_keeps_no_part(hub: Hub, tmp_path: Path) -> None:
    body = trained(tmp_path)
    kept = cut(hub, body, 10_000)
    with no_room_after(len(body) // 2):
        assert hub.rest(body, kept).status_code == 507
    assert_nothing_was_left(hub)
    assert hub.ask(body) == (0, "?0")


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(1, 1_500_000), max_size=4), seed=st.integers(0, 2**16))
def test_however_often_the_line_is_cut_the_same_bytes_arrive_and_few_are_sent_again(cuts: list[int], seed: int) -> None:
    """Between the end of the line and the hub's file are a socket's and the server's buffers; what is in them is lost."""
    layout = adapters.layout(rank=4, layers=10, inner=20_000, outer=5_000)  # 2 MB
    with (
        pytest.MonkeyPatch.context() as hasty,
        TemporaryDirectory() as name,
        exchange(Path(name), layout, "cluster1") as hub,
        relay(hub.port, cuts) as line,
    ):
        hasty.setattr(transfer, "_FIRST", 0.001)
        file = adapters.save(adapters.drawn(layout, seed), Path(name, "trained"))
        transfer.send(f"http://127.0.0.1:{line.port}{ADAPTER}", file, 10, 30)
        upload = hub.uploads.left(1, "cluster1")
        assert upload is not None
        assert upload.path.read_bytes() == file.read_bytes()
        assert hub.files() == [upload.path.name]
        again = sum(len(piece) for (_, way), piece in line.passed.items() if way == "out") - file.stat().st_size
        assert again <= len(cuts) * (1 << 19) + 10_000


# The folder.


def test_the_next_round_forgets_the_uploads_of_the_last(hub: Hub, tmp_path: Path) -> None:
    hub.put(trained(tmp_path))
    hub.uploads.open(2, terms_of(hub.adapter, hub.digest, "cluster1"))
    assert hub.files() == []
    assert hub.uploads.left(1, "cluster1") is None
    assert hub.put(trained(tmp_path)).status_code == 410, "the round before is closed by that"
    assert hub.put(trained(tmp_path), path=f"/v1/runs/{RUN}/rounds/2/adapter").status_code == 201


def test_what_a_crash_left_is_gone_at_the_next_start(hub: Hub, tmp_path: Path) -> None:
    hub.put(trained(tmp_path))
    (hub.folder / "1-cluster2.safetensors.x7f3").write_bytes(b"half")
    Uploads(hub.folder, Releases(tmp_path / releases.FILE, NOISED))
    assert hub.files() == []


def test_a_busy_port_is_said_so(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=f"port {hub.port}"), serve(Exchange(RUN, hub.uploads, tickets()), hub.port):
        pass


def test_a_method_that_does_not_exist_is_answered_with_a_sentence(hub: Hub) -> None:
    response = httpx.delete(f"http://127.0.0.1:{hub.port}{ADAPTER}", headers=headers("cluster1"))
    assert response.status_code == 405
    assert error(response)


@dataclass(frozen=True)
class Begun:
    """An upload of which all but the last byte was sent."""

    connection: http.client.HTTPConnection
    last: bytes

    def finish(self) -> int:
        self.connection.send(self.last)
        return self.answer()

    def answer(self) -> int:
        response = self.connection.getresponse()
        json.loads(response.read())
        return response.status


@contextmanager
def begun(hub: Hub, body: bytes, begin: int = 0, end: int | None = None, path: str = ADAPTER) -> Iterator[Begun]:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    connection.putrequest("PUT", path)
    said = follows(body, begin) if begin else claims(body)
    for name, value in {**headers("cluster1"), **said, "Content-Length": str(len(body) - begin)}.items():
        connection.putheader(name, value)
    connection.endheaders(body[begin : end or -1])
    try:
        yield Begun(connection, body[-1:])
    finally:
        connection.close()


def cut(hub: Hub, body: bytes, end: int, begin: int = 0, path: str = ADAPTER) -> int:
    """The line is cut before this byte; how many are there then."""
    with begun(hub, body, begin, end, path):
        wait_for(lambda: hub.came() == end, "what was sent")
    wait_for(lambda: not hub.came(), "the end of the line")
    return hub.ask(body, path=path)[0]


@contextmanager
def no_room_after(size: int) -> Iterator[None]:
    """A disk that is full once a file has so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
