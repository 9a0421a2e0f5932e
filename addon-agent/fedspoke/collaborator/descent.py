"""One round's optimiser: AdamW on an adapter, from the gradients of a step to its next values.

It starts anew each round, as the adapter that a round starts from is the mean of the clusters' and no longer what the moments
were measured on.
"""

import torch

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.training import Training

Parameters = dict[str, torch.nn.Parameter]

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter, by its own names."""

_MU = 0.01
"""How strongly FedProx pulls, where `options.mu` does not say."""


def pull(aggregation: Aggregation) -> float:
    """FedProx's mu; 0 for other strategies."""
    return aggregation.options.get("mu", _MU) if aggregation.strategy == "fedprox" else 0.0


class Descent:
    """AdamW, and what is done to gradients before it: FedProx's pull (arXiv 1812.06127), then clipping to `maxGradNorm`.

    Its moments are in memory from the beginning, so that forward and backward passes have to do with what is left beside them.
    """

    def __init__(self, parameters: Parameters, training: Training, mu: float) -> None:
        """`parameters` as the round starts from them, which is where `mu` pulls to."""
        self.parameters = parameters
        # One kernel, which allocates nothing: a step that lacks memory changes no value, and can be taken again.
        self.optimizer = torch.optim.AdamW(
            parameters.values(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        for value in parameters.values():
            self.optimizer.state[value] = {
                "step": torch.zeros((), device=value.device),
                **{moment: torch.zeros_like(value) for moment in MOMENTS},
            }
        self._training = training
        self._mu = mu
        self._start = {name: value.detach().clone() for name, value in parameters.items()} if mu else {}

    def step(self, share: float) -> bool:
        """Take a step at this share of the learning rate; False, and none is taken, where the gradient is not finite."""
        for name, start in self._start.items():
            value = self.parameters[name]
            if value.grad is not None:
                value.grad.add_(value.detach() - start, alpha=self._mu)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self._training.max_grad_norm)
        if not norm.isfinite():
            return False
        for group in self.optimizer.param_groups:
            group["lr"] = self._training.learning_rate * share
        self.optimizer.step()
        self.optimizer.zero_grad()
        return True
