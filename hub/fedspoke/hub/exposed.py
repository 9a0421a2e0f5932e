"""How spokes reach a federation's gateway: by the listener that it asks for."""

from fedspoke.api.federated_learning import ANY_PORT, FederatedLearning, Listener, Object


def exposed(fl: FederatedLearning) -> Listener:
    """The first listener, or a port of the hub's nodes that Kubernetes chooses."""
    return next(iter(fl.spec.server.listeners), Listener(name="gateway", type="NodePort"))


def service_port(fl: FederatedLearning, gateway: int) -> Object:
    """Of the Service before the gateway, which listens on this port."""
    port: Object = {"name": "gateway", "port": gateway, "targetPort": "gateway"}
    asked = exposed(fl)
    if asked.type != "NodePort":
        return port | {"port": asked.port}
    return port if asked.port == ANY_PORT else port | {"nodePort": asked.port}
