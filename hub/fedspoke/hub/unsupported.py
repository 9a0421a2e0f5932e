"""What a valid FederatedLearning may ask for and this version does not do. It is refused before anything starts: a field that
is silently ignored would be a lie about what was trained.
"""

from fedspoke.api.federated_learning import FederatedLearningSpec


def unsupported(spec: FederatedLearningSpec) -> list[str]:
    """One sentence for each such wish; none when all of the spec is acted on."""
    listeners, storage = spec.server.listeners, spec.server.storage.type
    wishes = [
        (spec.framework != "flower", "spec.framework", spec.framework, "flower"),
        (spec.privacy.secure_aggregation, "spec.privacy.secureAggregation", "true", "false"),
        *(
            (it.type in ("Route", "Ingress"), f"spec.server.listeners[{number}].type", it.type, "NodePort or LoadBalancer")
            for number, it in enumerate(listeners)
        ),
        (len(listeners) > 1, "spec.server.listeners", f"a list of {len(listeners)}", "one"),
        (storage != "PersistentVolumeClaim", "spec.server.storage.type", storage, "PersistentVolumeClaim"),
    ]
    return [
        f"{field} is {value}, which this version cannot do yet: use {instead}"
        for wished, field, value, instead in wishes
        if wished
    ]
