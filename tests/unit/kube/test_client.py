"""The client of a Kubernetes API, against a server that knows ConfigMaps and nothing else."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from kubernetes.client import ApiClient, Configuration

from fedspoke.kube.client import Kind, Kubernetes, MissingKindError

KNOWN, MISSING = Kind("v1", "ConfigMap"), Kind("example.org/v1", "Thing")
_CONFIG_MAPS = {"name": "configmaps", "singularName": "", "namespaced": True, "kind": "ConfigMap", "verbs": ["list"]}
ANSWERS = {
    "/version": {"major": "1", "minor": "35"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_CONFIG_MAPS]},
    "/api/v1/configmaps": {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": []},
}


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = ANSWERS.get(self.path.partition("?")[0])
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found or {}).encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def kube() -> Iterator[Kubernetes]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Kubernetes(ApiClient(Configuration(host=f"http://127.0.0.1:{server.server_port}")))
        server.shutdown()


def test_a_kind_that_nobody_defined_is_named_with_its_remedy(kube: Kubernetes) -> None:
    with pytest.raises(MissingKindError, match=r"knows no Thing of example.org/v1; install what defines it"):
        kube.all(MISSING)


def test_a_thread_that_asks_for_what_is_missing_disturbs_no_other(kube: Kubernetes) -> None:
    def ask(number: int) -> object:
        try:
            return kube.all((KNOWN, MISSING)[number % 2])
        except MissingKindError:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(ask, range(200))]
    assert answers == [[], None] * 100
