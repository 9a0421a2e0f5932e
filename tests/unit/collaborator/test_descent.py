"""What one step does to an adapter."""

from typing import Any

import pytest
import torch

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.federated_learning import Training
from fedspoke.collaborator.descent import Descent, pull


def descent(mu: float = 0.0, **changes: Any) -> tuple[Descent, torch.nn.Parameter]:
    weight = torch.nn.Parameter(torch.ones(3))
    return Descent({"w": weight}, Training(**{"learning_rate": 0.1, "max_grad_norm": 1e9} | changes), mu), weight


@pytest.mark.parametrize(
    ("aggregation", "mu"),
    [
        (Aggregation(), 0.0),
        (Aggregation(strategy="fedprox"), 0.01),
        (Aggregation(strategy="fedprox", options={"mu": 0.5}), 0.5),
        (Aggregation(strategy="fedprox", options={"mu": 0}), 0.0),
    ],
)
def test_only_fedprox_pulls(aggregation: Aggregation, mu: float) -> None:
    assert pull(aggregation) == mu


def test_fedprox_pulls_towards_where_the_round_began() -> None:
    """mu / 2 · |w − w0|² has the gradient mu · (w − w0); AdamW's first moment shows what it was given."""
    path, weight = descent(mu=0.5)
    with torch.no_grad():
        weight.add_(torch.tensor([0.0, 2.0, -4.0]))
    weight.grad = torch.tensor([1.0, 1.0, 1.0])
    path.step(1.0)
    moment = path.optimizer.state[weight]["exp_avg"] / 0.1
    assert torch.allclose(moment, torch.tensor([1.0, 2.0, -1.0]))


def test_a_gradient_is_shortened_to_the_longest_that_is_allowed() -> None:
    path, weight = descent(max_grad_norm=0.5)
    weight.grad = torch.tensor([3.0, 4.0, 0.0])
    path.step(1.0)
    assert torch.allclose(path.optimizer.state[weight]["exp_avg"] / 0.1, torch.tensor([0.3, 0.4, 0.0]), atol=1e-4)


def test_a_first_step_moves_by_its_share_of_the_learning_rate() -> None:
    path, weight = descent()
    weight.grad = torch.tensor([1.0, -1.0, 2.0])
    assert path.step(0.25)
    assert torch.allclose(weight, 1 - 0.025 * torch.tensor([1.0, -1.0, 1.0]), atol=1e-5)
    assert weight.grad is None


def test_what_the_optimiser_keeps_is_there_before_the_first_pass_and_a_step_makes_nothing_anew() -> None:
    path, weight = descent()
    before = {name: kept.data_ptr() for name, kept in path.optimizer.state[weight].items()}
    assert before.keys() == {"step", "exp_avg", "exp_avg_sq"}
    weight.grad = torch.ones(3)
    path.step(1.0)
    assert {name: kept.data_ptr() for name, kept in path.optimizer.state[weight].items()} == before


def test_weight_decay_shrinks_what_has_no_gradient_to_speak_of() -> None:
    path, weight = descent(weight_decay=0.5)
    weight.grad = torch.zeros(3)
    path.step(1.0)
    assert torch.allclose(weight, torch.full((3,), 1 - 0.1 * 0.5))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_takes_no_step(value: float) -> None:
    path, weight = descent()
    weight.grad = torch.tensor([value, 0.0, 0.0])
    assert not path.step(1.0)
    assert torch.equal(weight, torch.ones(3))
