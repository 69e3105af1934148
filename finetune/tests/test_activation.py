"""The polynomial activation: its values, its range, its first coefficients."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from peregrine_finetune import BOUNDS, Bound, PolynomialActivation
from peregrine_finetune.fit import fitted_activation, hermite, hermite_activation

SHAPES = [(4, 3), (5, 2, 7), (2, 6, 3, 5), (1, 1, 1, 1), (3, 4, 1, 8)]


def reference(module: PolynomialActivation, x: Tensor) -> Tensor:
    """Sum of `c_k x^k` in float64, channel by channel."""
    y = torch.zeros_like(x, dtype=torch.float64)
    for channel in range(x.shape[1]):
        for k, row in enumerate(module.coefficients()):
            y[:, channel] += row[channel % module.channels] * x[:, channel].double() ** k
    return y


def random_activation(degree: int, channels: int, seed: int) -> PolynomialActivation:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(degree + 1, channels, generator=generator)
    bound = torch.rand(channels, generator=generator) * 5 + 0.1
    return PolynomialActivation(weight, bound, upper_bound=3.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degree", [2, 4])
@pytest.mark.parametrize("shared", [False, True])
def test_value_is_that_of_the_coefficients(shape: tuple[int, ...], degree: int, shared: bool) -> None:
    for seed in range(10):
        module = random_activation(degree, 1 if shared else shape[1], seed)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 4
        expected = reference(module, x)
        assert torch.allclose(module(x).double(), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("degree", [2, 4])
def test_a_new_range_keeps_the_function(degree: int) -> None:
    module = random_activation(degree, 3, 1)
    x = torch.randn(2, 3, 4, 4)
    before = module(x)
    module.set_range(torch.tensor([0.5, 7.0, 20.0]))
    assert module.running_max.tolist() == [0.5, 7.0, 20.0]
    assert torch.allclose(module(x), before, rtol=1e-4, atol=1e-4)


def test_running_maximum_follows_training_and_is_frozen_in_eval() -> None:
    x = torch.full((2, 1, 2, 2), -8.0)
    module = PolynomialActivation(torch.ones(3, 1), torch.tensor([2.0]), upper_bound=3.0, track=True, momentum=0.25)
    module.eval()
    module(x)
    assert module.running_max.item() == 2.0
    module.train()
    module(x)
    assert module.running_max.item() == pytest.approx(2.0 + 0.25 * 6.0)


def test_two_forward_passes_may_precede_a_backward_pass() -> None:
    module = PolynomialActivation(torch.ones(3, 1), torch.tensor([2.0]), upper_bound=3.0, track=True)
    x = torch.randn(2, 1, 2, 2, requires_grad=True)
    (module(x).sum() + module(2 * x).sum()).backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_clamp_is_for_training_only() -> None:
    module = PolynomialActivation(torch.tensor([[0.0], [2.001], [0.0]]), torch.tensor([2.0]), upper_bound=1.0)
    module.clamp_width.fill_(1.5)
    x = torch.tensor([[-10.0], [1.0], [10.0]])
    assert module(x).flatten().tolist() == pytest.approx([-3.0, 1.0, 3.0], rel=1e-5)
    assert module.eval()(x).flatten().tolist() == pytest.approx([-10.0, 1.0, 10.0], rel=1e-5)


def test_hermite_of_relu_has_the_published_constants() -> None:
    a0, a1, a2, a4 = 0.39894228, 0.5, 0.28209479 / math.sqrt(2), -0.08143375 / math.sqrt(24)
    scale = torch.tensor([0.3, 1.0, 5.0])
    quadratic = torch.tensor([a0 - a2, a1, a2], dtype=torch.float64)
    quartic = torch.tensor([a0 - a2 + 3 * a4, a1, a2 - 6 * a4, 0, a4], dtype=torch.float64)
    for degree, expected in ((2, quadratic), (4, quartic)):
        found = hermite(F.relu, scale, degree)
        assert torch.allclose(found, expected.unsqueeze(1).expand_as(found), atol=1e-6)


@pytest.mark.parametrize("degree", [2, 4])
def test_least_squares_finds_a_polynomial_again(degree: int) -> None:
    known = random_activation(degree, 5, 3).eval()
    x = torch.randn(64, 5, 6, 6) * 2
    found = fitted_activation(
        F.relu, x, known(x).detach(), degree, per_layer=False, learnable=True, bound=Bound()
    ).eval()
    scale = float(known(x).detach().abs().max())
    assert torch.allclose(found(x), known(x), atol=2e-4 * scale)


def test_least_squares_is_better_than_hermite_on_skewed_inputs() -> None:
    x = torch.randn(64, 2, 8, 8) + torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1)
    fitted = fitted_activation(F.relu, x, F.relu(x), 4, per_layer=False, learnable=True, bound=Bound()).eval()
    expanded = hermite_activation(F.relu, x, 4, per_layer=False, learnable=True).eval()
    assert (fitted(x) - F.relu(x)).square().mean() < 0.5 * (expanded(x) - F.relu(x)).square().mean()


def test_a_channel_that_is_always_zero_stays_finite() -> None:
    x = torch.randn(8, 2, 4, 4)
    x[:, 1] = 0
    fitted = fitted_activation(F.relu, x, F.relu(x), 4, per_layer=False, learnable=True, bound=Bound()).eval()
    assert bool(torch.isfinite(fitted.weight).all())
    assert float(fitted(x).detach()[:, 1].abs().max()) < 1e-6


def test_the_bound_follows_typical_images_within_limits() -> None:
    x = torch.full((9, 2, 3, 3), 0.5)
    x[:, 1, 0, 0] = torch.tensor([4.0, 4.4, 4.8, 5.2, -6.0, 6.4, 6.8, 7.2, 1e6])
    assert Bound().of(x, 1).tolist() == [7.5]
    assert Bound(most=5.0).of(x, 1).tolist() == [5.0]
    assert Bound().of(x / 100, 1).tolist() == [4.0]
    assert Bound(headroom=2.0, least=0.01).of(x / 10, 1).tolist() == pytest.approx([1.2])
    fitted = fitted_activation(F.relu, x[:8], F.relu(x[:8]), 2, per_layer=False, learnable=True, bound=Bound(most=5.0))
    assert fitted.running_max.tolist() == [5.0, 5.0]
    with pytest.raises(ValueError, match="least"):
        Bound(least=5.0, most=4.0)


def test_a_channel_may_have_its_own_bound() -> None:
    x = torch.ones(9, 3, 3, 3)
    x[:, 0] *= torch.linspace(1, 9, 9).reshape(-1, 1, 1)
    x[:, 1] *= -3.0
    own = Bound(headroom=2.0, least=1.0, most=math.inf, narrowest=0.5)
    assert own.of(x, 3).tolist() == [10.0, 6.0, 5.0]
    assert replace(own, narrowest=1.0).of(x, 3).tolist() == [10.0, 10.0, 10.0]
    assert own.of(x, 1).tolist() == [10.0]
    assert own.of(x[:, :, 0, 0], 3).tolist() == [10.0, 6.0, 5.0]
    with pytest.raises(ValueError, match="narrowest"):
        replace(own, narrowest=0.0)


def test_a_quartic_is_tame_in_its_whole_range() -> None:
    x = torch.randn(64, 2, 8, 8) * torch.tensor([0.1, 1.0]).reshape(1, 2, 1, 1)
    ends = {}
    for even in (0.0, BOUNDS[4].even):
        bound = replace(BOUNDS[4], even=even)
        fitted = fitted_activation(F.relu, x, F.relu(x), 4, per_layer=False, learnable=True, bound=bound).eval()
        ends[even] = float(fitted(fitted.running_max.reshape(1, 2, 1, 1)).detach()[0, 0] / fitted.running_max[0])
    assert abs(ends[0.0]) > 10
    assert 0.5 < ends[BOUNDS[4].even] < 2


@pytest.mark.parametrize("degree", [2, 4])
def test_rows_are_what_terms_contribute_at_the_bound(degree: int) -> None:
    module = random_activation(degree, 3, 2)
    module.set_range(torch.tensor([2.0, 5.0, 9.0]))
    s = module.normaliser().double()
    for k, row in enumerate(module.coefficients()):
        assert torch.allclose(module.weight[k].double(), row * s**k, rtol=1e-5)


def test_a_stretched_range_stretches_the_curve() -> None:
    module = PolynomialActivation(torch.tensor([[0.3], [1.0], [0.7]]), torch.tensor([3.0]), upper_bound=3.0).eval()
    x = torch.linspace(-3, 3, 13).unsqueeze(1)
    before, s = module(x), module.normaliser()
    module.running_max.fill_(6.0)
    factor = module.normaliser() / s
    assert torch.allclose(module(factor * x), factor * before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("weight", "bound", "upper"),
    [((4, 2), (2,), 1.0), ((3, 2), (3,), 1.0), ((3,), (3,), 1.0), ((3, 2), (2,), 0.0)],
)
def test_wrong_shapes_are_refused(weight: tuple[int, ...], bound: tuple[int, ...], upper: float) -> None:
    with pytest.raises(ValueError, match=r"degree|weight|upper_bound"):
        PolynomialActivation(torch.ones(weight), torch.ones(bound), upper_bound=upper)
