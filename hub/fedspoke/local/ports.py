"""Ports of this machine's loopback."""

import socket
from contextlib import ExitStack, closing

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import FederatedLearning


def listener(fl: FederatedLearning) -> int:
    """The port that the CR names for its first listener, or any free one."""
    listeners = fl.spec.server.listeners
    if not listeners:
        (port,) = free(1)
        return port
    port = listeners[0].port
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failed(
                f"spec.server.listeners[0].port is {port}, which this machine cannot give ({error.strerror}); "
                "end what uses it, name another port, or leave listeners out to take any free one"
            ) from error
    return port


def free(count: int) -> list[int]:
    """So many different ports of loopback that nobody uses."""
    with ExitStack() as probes:  # all are held until the last is found, so that none comes twice
        return [probes.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]
