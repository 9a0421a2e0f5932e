"""What a valid FederatedLearning may ask for and this version does not do. It is refused before anything starts: a field that
is silently ignored would be a lie about what was trained.
"""

from fedspoke.api.federated_learning import FederatedLearningSpec


def unsupported(spec: FederatedLearningSpec) -> list[str]:
    """One sentence for each such wish; none when all of the spec is acted on."""
    server, privacy = spec.server, spec.privacy
    wishes = [
        (spec.framework != "flower", "spec.framework", spec.framework, "flower"),
        (spec.suspend, "spec.suspend", "true", "false"),
        (server.aggregation.strategy != "fedavg", "spec.server.aggregation.strategy", server.aggregation.strategy, "fedavg"),
        (server.aggregation.lora != "average", "spec.server.aggregation.lora", server.aggregation.lora, "average"),
        (bool(server.aggregation.options), "spec.server.aggregation.options", "set", "no options"),
        (server.convergence is not None, "spec.server.convergence", "set", "no convergence: all rounds are run"),
        (privacy.adapters.mechanism != "none", "spec.privacy.adapters.mechanism", privacy.adapters.mechanism, "none"),
        (privacy.secure_aggregation, "spec.privacy.secureAggregation", "true", "false"),
    ]
    return [
        f"{field} is {value}, which this version cannot do yet: use {instead}"
        for wished, field, value, instead in wishes
        if wished
    ]
