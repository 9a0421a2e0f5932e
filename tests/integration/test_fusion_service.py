"""The fusion service over a real HTTP server: one profile a cluster and platform, its own and nobody else's."""

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.names import identity
from fedspoke.api.profiles import GeneralProfile, Profile
from fedspoke.api.records import FusionSettings
from fedspoke.api.training import Profiles
from fedspoke.hub import loopback
from fedspoke.hub.fusion.service import Fusion
from fedspoke.local import ports
from support.envoy import wait_for
from support.profiles import profile

RUN = "default.social"
FACEBOOK = profile("cluster1", "facebook", embedding=(1.0, 0.0), posts=10)
INSTAGRAM = profile("cluster2", "instagram", embedding=(0.0, 1.0), posts=30)


def settings(
    folder: Path, clusters: tuple[str, ...] = ("cluster0", "cluster1", "cluster2"), port: int = 0, **asked: Any
) -> FusionSettings:
    """Three clusters, of which profiles of any number of posts and without noise are asked, unless told otherwise."""
    profiles = Profiles(**({"epsilon": None, "min_posts": 1} | asked))
    return FusionSettings(run=RUN, clusters=clusters, profiles=profiles, folder=str(folder), port=port)


def encoded(given: Profile) -> bytes:
    return given.model_dump_json(by_alias=True).encode()


@dataclass(frozen=True)
class Service:
    port: int
    folder: Path

    def put(self, body: bytes, platform: str = "facebook", sender: str | None = "cluster1", run: str = RUN) -> httpx.Response:
        headers = {"x-forwarded-client-cert": f"Hash=ab12;URI={identity('hub-7f3a', sender)}"} if sender else {}
        return httpx.put(f"http://127.0.0.1:{self.port}/v1/runs/{run}/profiles/{platform}", content=body, headers=headers)

    def general(self, run: str = RUN, **headers: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}/v1/runs/{run}/general-profile", headers=headers)

    def parts(self) -> list[tuple[str, str, int]]:
        general = GeneralProfile.model_validate_json(self.general().content)
        return [(part.cluster, part.platform, part.posts) for part in general.parts]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with loopback.serving(Fusion(lambda: settings(tmp_path / "profiles")).app, 0) as port:
        yield Service(port, tmp_path / "profiles")


def test_two_clusters_profiles_become_one(service: Service) -> None:
    assert service.put(encoded(FACEBOOK)).status_code == 201
    assert service.put(encoded(INSTAGRAM), "instagram", "cluster2").status_code == 201
    response = service.general()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    general = GeneralProfile.model_validate_json(response.content)
    assert (general.run, general.posts, len(general.parts)) == (RUN, 40, 2)
    assert response.headers["etag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
    assert (service.folder / "general_profile.json").read_bytes() == response.content


def test_before_the_first_profile_there_is_no_general_one(service: Service) -> None:
    response = service.general()
    assert (response.status_code, "no cluster has left a profile" in response.json()["error"]) == (404, True)


def test_whoever_has_the_general_profile_is_not_sent_it_again(service: Service) -> None:
    service.put(encoded(FACEBOOK))
    tag = service.general().headers["etag"]
    assert service.general(**{"If-None-Match": tag}).status_code == 304


def test_the_same_profile_again_changes_nothing(service: Service) -> None:
    assert [service.put(encoded(FACEBOOK)).status_code for _ in range(2)] == [201, 200]
    assert service.parts() == [("cluster1", "facebook", 10)]


def test_a_cluster_may_correct_its_own_profile(service: Service) -> None:
    service.put(encoded(FACEBOOK))
    service.put(encoded(INSTAGRAM), "instagram", "cluster2")
    assert service.put(encoded(profile("cluster1", "facebook", posts=99))).status_code == 200
    assert service.parts() == [("cluster1", "facebook", 99), ("cluster2", "instagram", 30)]


def test_a_cluster_has_one_profile_for_each_platform(service: Service) -> None:
    service.put(encoded(FACEBOOK))
    assert service.put(encoded(profile("cluster1", "instagram", posts=7)), "instagram").status_code == 201
    assert service.parts() == [("cluster1", "facebook", 10), ("cluster1", "instagram", 7)]


@pytest.mark.parametrize(
    ("body", "platform", "sender", "status", "says"),
    [
        pytest.param(encoded(FACEBOOK), "facebook", None, 403, "gateway", id="nobody"),
        pytest.param(encoded(FACEBOOK), "facebook", "cluster2", 403, "certificate is of cluster2", id="another cluster's"),
        pytest.param(
            encoded(profile("cluster9")), "facebook", "cluster9", 403, "cluster9 is not chosen", id="a cluster's not chosen"
        ),
        pytest.param(encoded(FACEBOOK), "instagram", "cluster1", 400, "the path says instagram", id="another platform's"),
        pytest.param(encoded(FACEBOOK), "mastodon", "cluster1", 404, "facebook and instagram", id="an unknown platform"),
        pytest.param(b"{", "facebook", "cluster1", 400, "no profile", id="no JSON"),
        pytest.param(b'{"cluster": "cluster1", "text": "hello"}', "facebook", "cluster1", 400, "no profile", id="no profile"),
        pytest.param(b" " * (1 << 20) + b"{}", "facebook", "cluster1", 413, "at most", id="more than a profile has"),
        pytest.param(encoded(FACEBOOK).replace(b"[1.0,", b"[NaN,"), "facebook", "cluster1", 422, "of length nan", id="no number"),
        pytest.param(encoded(profile("cluster1", posts=0)), "facebook", "cluster1", 422, "has posts 0", id="no posts"),
    ],
)
def test_what_is_not_the_senders_own_profile_is_refused(
    service: Service, body: bytes, platform: str, sender: str | None, status: int, says: str
) -> None:
    response = service.put(body, platform, sender)
    assert (response.status_code, says in response.json()["error"]) == (status, True), response.text
    assert service.general().status_code == 404
    assert list(service.folder.iterdir()) == []


def test_whoever_comes_first_with_an_encoder_of_its_own_keeps_nobody_out(service: Service) -> None:
    assert service.put(encoded(profile("cluster0", encoder="0" * 64)), sender="cluster0").status_code == 201
    assert service.put(encoded(FACEBOOK)).status_code == 201
    assert service.put(encoded(INSTAGRAM), "instagram", "cluster2").status_code == 201
    assert service.parts() == [("cluster1", "facebook", 10), ("cluster2", "instagram", 30)]
    assert list(service.general().json()["leftOut"]) == ["cluster0/facebook"]


def test_another_runs_paths_are_not_here(service: Service) -> None:
    service.put(encoded(FACEBOOK))
    assert service.put(encoded(FACEBOOK), run="default.other").status_code == 404
    assert service.general(run="default.other").status_code == 404


def test_profiles_outlive_the_process(service: Service) -> None:
    service.put(encoded(FACEBOOK))
    service.put(encoded(INSTAGRAM), "instagram", "cluster2")
    with loopback.serving(Fusion(lambda: settings(service.folder)).app, 0) as port:
        assert Service(port, service.folder).general().content == service.general().content


def test_after_a_restart_only_what_the_cr_still_asks_for_is_used(service: Service) -> None:
    service.put(encoded(FACEBOOK))
    service.put(encoded(INSTAGRAM), "instagram", "cluster2")
    service.put(encoded(profile("cluster0", posts=40)), sender="cluster0")
    changed = settings(service.folder, clusters=("cluster1", "cluster2"), min_posts=20)
    with loopback.serving(Fusion(lambda: changed).app, 0) as port:
        assert Service(port, service.folder).parts() == [("cluster2", "instagram", 30)]


def test_of_what_cannot_be_stored_only_the_account_of_it_is_left(service: Service) -> None:
    (service.folder / "cluster1.facebook.profile.json").mkdir()  # a rename cannot replace it
    assert service.put(encoded(FACEBOOK)).status_code == 500
    assert sorted(path.name for path in service.folder.iterdir()) == ["cluster1.facebook.profile.json", "releases.json"]


def test_a_folder_that_holds_something_else_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "cluster1.facebook.profile.json").write_text("{}")
    with pytest.raises(Failed, match=r"cluster1\.facebook\.profile\.json is no profile"):
        Fusion(lambda: settings(tmp_path))


def test_a_request_that_never_ends_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    (port,) = ports.free(1)
    file = tmp_path / "fusion.json"
    file.write_text(settings(tmp_path / "profiles", port=port).model_dump_json(by_alias=True))
    process = subprocess.Popen([sys.executable, "-m", "fedspoke.cli", "fusion", "--settings", str(file)])
    try:
        with wait_for(lambda: _connected(port), "the fusion service listens") as client:
            client.settimeout(20)
            head = f"PUT /v1/runs/{RUN}/profiles/facebook HTTP/1.1\r\nhost: hub\r\ncontent-length: 9\r\n"
            client.sendall(f"{head}expect: 100-continue\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 100")  # it now waits for the body
            client.sendall(b'{"run"')
            process.terminate()
            process.wait(20)
    finally:
        process.kill()
        process.wait()


def _connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=1)
    except ConnectionRefusedError:
        return None
