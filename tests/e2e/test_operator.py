"""The controller on a hub that is not as it should be: it says why it waits, stays, and goes on once that is mended."""

import json
import signal
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from fedspoke.local import ports
from support import build
from support.fleet import ocm
from support.fleet.apiserver import api_server
from support.fleet.binaries import Say
from support.fleet.deployed import FEDERATION, as_controller, deploy
from support.fleet.kubernetes import Kubernetes
from support.fleet.operator import Operator, operator
from support.fleet.wait import until
from support.relay import relay

_SECONDS = 120
_LEASE = "waiting for the Lease fedspoke/fedspoke: "
_ALL_BUT = ("operator.yaml", "clustermanagementaddon.yaml")  # the one is the test's process, the other's kind comes with OCM


def test_it_waits_for_an_api_server_then_for_its_rights_then_for_ocm_and_ends_if_it_may_have_lost_the_lease(
    say: Say, tmp_path: Path
) -> None:
    with api_server(tmp_path, say) as server:
        hub = server.kubernetes
        deploy(hub, but=(*_ALL_BUT, "operator-role.yaml", "addon-manager-role.yaml"))
        kubeconfig = as_controller(hub, server.kubeconfig, tmp_path)
        (port,) = ports.free(1)
        there = _led_through(kubeconfig, port)
        with operator(kubeconfig, tmp_path) as it:
            it.says(f"{_LEASE}the Kubernetes API at https://127.0.0.1:{port} does not answer: ", _SECONDS)
            _is_well_and_not_ready(it)
            with relay(there, port=port):
                it.says(f'{_LEASE}leases.coordination.k8s.io "fedspoke" is forbidden: User ', _SECONDS)
                _is_well_and_not_ready(it)

                deploy(hub, but=_ALL_BUT)
                until("it is at work", it.ready, _SECONDS, [it.process])
                it.says("federated-learning: the API server knows no ", _SECONDS)
                hub.create(FEDERATION, build.federated_learning())
                said = partial(_message, hub)
                lacks = "waiting for the hub: the API server knows no ManagedCluster of "
                until("the federation says it too", said, _SECONDS, [it.process], so=lambda words: words.startswith(lacks))

                ocm.define_kinds(server, say)
                ocm.define_works_and_addons(server, say)
                goes_on = "waiting for OCM's placement controller, which has not decided yet; since "
                until("it goes on", said, _SECONDS, [it.process], so=lambda words: words.startswith(goes_on))
                assert "Traceback" not in it.process.words()
                failures = {each["message"].partition(":")[0]: each.get("federation") for each in it.lines()}
                assert (failures["default.social"], failures["federated-learning"]) == ("default.social", None)

                server.process.handle.send_signal(signal.SIGSTOP)  # its connections stay, and are silent
                it.process.handle.wait(_SECONDS)
                server.process.handle.send_signal(signal.SIGCONT)
                assert "another controller has taken the Lease, or the API server was away for too long" in it.process.last_words


def _led_through(kubeconfig: Path, port: int) -> int:
    """Change where a kubeconfig leads to, to another port of this machine; the one that it led to."""
    content = json.loads(kubeconfig.read_text())
    (cluster,) = content["clusters"]
    there = urlsplit(cluster["cluster"]["server"]).port
    cluster["cluster"]["server"] = f"https://127.0.0.1:{port}"
    kubeconfig.write_text(json.dumps(content))
    assert there is not None
    return int(there)


def _is_well_and_not_ready(it: Operator) -> None:
    assert (it.answers("/healthz"), it.answers("/readyz")) == (200, 503)


def _message(hub: Kubernetes) -> str:
    said: str = hub.get(FEDERATION, "social", "default").get("status", {}).get("message", "")
    return said
