"""Against a real HTTP server on loopback that cuts, refuses and falls ill."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed
from fedspoke.collaborator import transfer

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Hub:
    """Answers each request by the next of its moods; the last one lasts."""

    moods: list[Callable[[BaseHTTPRequestHandler], None]]
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


def whole(request: BaseHTTPRequestHandler) -> None:
    """The file, or the part of it that was asked for, as an honest server sends it."""
    start = int((request.headers["range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    if start >= len(CONTENT):
        request.send_response(416)
        request.send_header("content-length", "0")
        request.end_headers()
        return
    request.send_response(206 if start else 200)
    request.send_header("content-length", str(len(CONTENT) - start))
    request.end_headers()
    request.wfile.write(CONTENT[start:])


def cut(request: BaseHTTPRequestHandler) -> None:
    """Promises all and breaks off after 100,000 bytes."""
    request.send_response(200)
    request.send_header("content-length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT[:100_000])


def says(status: int, body: str = "", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def mood(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body.encode())

    return mood


@contextmanager
def hub(*moods: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Hub]:
    state = Hub(list(moods))

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def _any(self) -> None:
            state.requests.append({name.lower(): value for name, value in self.headers.items()})
            state.bodies.append(self.rfile.read(int(self.headers.get("content-length", "0"))))
            (state.moods.pop(0) if len(state.moods) > 1 else state.moods[0])(self)

        do_GET = do_HEAD = do_PUT = _any  # noqa: N815  http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/adapter"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def test_a_file_arrives_whole(tmp_path: Path) -> None:
    with hub(whole) as there:
        transfer.fetch(there.url, DIGEST, tmp_path / "new" / "adapter", 10)
    assert (tmp_path / "new" / "adapter").read_bytes() == CONTENT


def test_a_cut_download_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    with hub(cut, whole) as there:
        transfer.fetch(there.url, DIGEST, tmp_path / "adapter", 10)
    assert (tmp_path / "adapter").read_bytes() == CONTENT
    assert there.requests[1]["range"] == "bytes=100000-"
    assert there.requests[1]["if-range"] == f'"{DIGEST}"'


def test_what_was_left_of_another_file_does_not_end_up_in_this_one(tmp_path: Path) -> None:
    (tmp_path / "adapter.part").write_bytes(b"x" * 50)
    with hub(whole) as there:
        transfer.fetch(there.url, DIGEST, tmp_path / "adapter", 10)
    assert (tmp_path / "adapter").read_bytes() == CONTENT
    assert len(there.requests) == 2  # what came does not have the digest, so it is fetched anew


def test_a_download_that_was_cut_after_its_last_byte_is_complete(tmp_path: Path) -> None:
    (tmp_path / "adapter.part").write_bytes(CONTENT)
    with hub(whole) as there:
        transfer.fetch(there.url, DIGEST, tmp_path / "adapter", 10)
    assert (tmp_path / "adapter").read_bytes() == CONTENT


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(whole) as there:
        transfer.fetch(there.url, DIGEST, tmp_path / "adapter", 10)
    assert there.requests == []


def test_bytes_of_another_digest_never_become_the_adapter(tmp_path: Path) -> None:
    with hub(whole) as there, pytest.raises(Failed, match="instead of 000000000000"):
        transfer.fetch(there.url, "0" * 64, tmp_path / "adapter", 0.1)
    assert not (tmp_path / "adapter").exists()


def test_an_upload_carries_its_digest_and_its_weight(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(says(201)) as there:
        assert transfer.send(there.url, tmp_path / "adapter", 7, 10) == DIGEST
    (headers,) = there.requests
    assert headers["content-digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(DIGEST)).decode()}:"
    assert headers["fedspoke-examples"] == "7"
    assert "transfer-encoding" not in headers
    assert there.bodies == [CONTENT]


def has(offset: int, *, all_of_it: bool = False) -> Callable[[BaseHTTPRequestHandler], None]:
    """What the hub says when it is asked how much is there."""
    return says(204, upload_offset=str(offset), upload_complete="?1" if all_of_it else "?0")


ILL = says(503, "no healthy upstream")


@pytest.mark.parametrize("status", [502, 503, 504, 429, 408])
def test_a_gateway_that_is_ill_for_a_moment_is_tried_again(tmp_path: Path, status: int) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(says(status, "no healthy upstream"), has(0), says(201)) as there:
        transfer.send(there.url, tmp_path / "adapter", 7, 10)
    assert there.bodies == [CONTENT, b"", CONTENT]


def test_an_upload_that_failed_on_its_way_goes_on_where_the_hub_says(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(ILL, has(100_000), says(201)) as there:
        transfer.send(there.url, tmp_path / "adapter", 7, 10)
    assert there.bodies[1:] == [b"", CONTENT[100_000:]]
    _, asked, rest = there.requests
    assert asked["repr-digest"] == rest["repr-digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(DIGEST)).decode()}:"
    assert rest["content-range"] == f"bytes 100000-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert (rest["content-length"], rest["fedspoke-examples"]) == (str(len(CONTENT) - 100_000), "7")
    assert "content-digest" not in rest, "it would be that of the rest"


def test_an_upload_whose_answer_was_lost_is_not_sent_again(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(ILL, has(len(CONTENT), all_of_it=True)) as there:
        assert transfer.send(there.url, tmp_path / "adapter", 7, 10) == DIGEST
    assert there.bodies == [CONTENT, b""]


def test_an_upload_of_which_the_hub_has_dropped_what_came_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    dropped = says(400, '{"error": "the bytes that arrived are not those of the digest"}', upload_offset="0")
    with hub(ILL, has(100_000), dropped, has(0), says(201)) as there:
        transfer.send(there.url, tmp_path / "adapter", 7, 10)
    assert there.bodies == [CONTENT, b"", CONTENT[100_000:], b"", CONTENT]


def test_a_whole_upload_whose_bytes_are_not_what_they_should_be_is_refused_for_good(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(says(400, upload_offset="0")) as there, pytest.raises(Failed, match=r"\(400\)"):
        transfer.send(there.url, tmp_path / "adapter", 7, 10)
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(409, "cluster1 has already left another adapter in round 2", id="another was left"),
        pytest.param(410, "round 2 is closed", id="too late"),
        pytest.param(422, "tensor a holds NaN or infinity", id="it does not fit"),
    ],
)
def test_a_refusal_is_final_and_told_in_the_hubs_words(tmp_path: Path, status: int, said: str) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(says(status, f'{{"error": "{said}"}}')) as there, pytest.raises(Failed, match=f"{said} \\({status}\\)"):
        transfer.send(there.url, tmp_path / "adapter", 7, 10)
    assert len(there.requests) == 1


def test_a_hub_that_is_not_there_is_given_up_after_the_time_that_there_is(tmp_path: Path) -> None:
    (tmp_path / "adapter").write_bytes(CONTENT)
    with hub(whole) as gone:
        pass
    with pytest.raises(Failed, match=r"could not be uploaded within 0 s: .*refused"):
        transfer.send(gone.url, tmp_path / "adapter", 7, 0.3)


def test_a_profile_is_left_as_json(tmp_path: Path) -> None:
    with hub(says(201)) as there:
        transfer.put(there.url, '{"posts": 3}', 10)
    assert there.bodies == [b'{"posts": 3}']
    assert there.requests[0]["content-type"] == "application/json"


def test_a_ticket_is_presented_until_the_gateway_is_well() -> None:
    with hub(says(503), says(200)) as there:
        transfer.present(there.url, "unguessable", 10)
    assert [request["fedspoke-ticket"] for request in there.requests] == ["unguessable"] * 2


def test_a_ticket_that_the_hub_does_not_know_is_told_in_its_words() -> None:
    said = "no node of cluster1 was given this ticket"
    with hub(says(403, f'{{"error": "{said}"}}')) as there, pytest.raises(Failed, match=rf"{said} \(403\)"):
        transfer.present(there.url, "stale", 10)
    assert len(there.requests) == 1
