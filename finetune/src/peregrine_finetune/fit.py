"""First coefficients: Hermite expansion for a normal input, or least squares on the inputs that a layer really has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .activation import EPSILON, PolynomialActivation, largest_per_channel

Curve = Callable[[Tensor], Tensor]

#: Standard deviations that the bound stands for in a Hermite expansion, as in PolyAct-RN.
HERMITE_UPPER_BOUND = 3.0
#: Relative ridge of the least squares: keeps channels that are constant solvable.
RIDGE = 1e-9


@dataclass(frozen=True)
class Bound:
    """The bound of `|x|` that a fitted activation gets: `headroom` times the median over the samples of an image's
    largest `|x|`, but no less than `least` and no more than `most`.

    One bound serves all channels of a layer. It is a median, as the largest of all samples follows the one odd image,
    and a wide range costs both accuracy of the polynomial and precision of the ciphertext. The limits suit networks
    with batch normalisation, where activations see a few standard deviations; above `most`, training has to shrink
    values.
    """

    headroom: float = 1.25
    least: float = 4.0
    most: float = 10.0

    def __post_init__(self) -> None:
        if not (self.headroom > 0 and 0 < self.least <= self.most):
            raise ValueError("headroom is positive, and 0 < least <= most")

    def of(self, x: Tensor) -> Tensor:
        """The bound for samples `[N, C, ...]`, `[1]`."""
        typical = x.abs().flatten(1).amax(dim=1).median()
        return (self.headroom * typical).clamp(self.least, self.most).reshape(1)


def hermite(curve: Curve, scale: Tensor, degree: int) -> Tensor:
    """Expands `curve(s * z) / s` for a standard normal `z`, for each `s` of `scale`, `[C]`.

    Returns coefficients of powers of `z`, `[degree + 1, C]`. For ReLU these are PolyAct-RN's constants: `0.39894228`,
    `0.5`, `0.28209479 / sqrt(2)` and `-0.08143375 / sqrt(24)` before `1`, `x`, `He2` and `He4`. The cubic is left out.
    """
    z = torch.linspace(-10, 10, 20001, dtype=torch.float64)
    density = torch.exp(-z * z / 2) * ((z[1] - z[0]) / math.sqrt(2 * math.pi))
    s = scale.double().unsqueeze(1)
    weighted = curve(s * z) / s * density
    a0, a1 = weighted.sum(1), (weighted * z).sum(1)
    a2 = (weighted * (z**2 - 1)).sum(1) / 2
    if degree == 2:
        return torch.stack([a0 - a2, a1, a2])
    a4 = (weighted * (z**4 - 6 * z**2 + 3)).sum(1) / 24
    return torch.stack([a0 - a2 + 3 * a4, a1, a2 - 6 * a4, torch.zeros_like(a4), a4])


def least_squares(x: Tensor, target: Tensor, degree: int) -> Tensor:
    """Fits `target` by a polynomial of `x` for each row; both are `[C, M]`, the answer is `[degree + 1, C]`."""
    powers = torch.stack([x.double() ** k for k in range(degree + 1)], dim=2)
    gram = powers.transpose(1, 2) @ powers / x.shape[1]
    ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1).clamp_min(RIDGE)
    gram = gram + ridge[:, None, None] * torch.eye(degree + 1, dtype=torch.float64)
    right = (powers.transpose(1, 2) @ target.double().unsqueeze(2)) / x.shape[1]
    solution: Tensor = torch.linalg.solve(gram, right)
    return solution.squeeze(2).T


def hermite_activation(
    curve: Curve, x: Tensor, degree: int, *, per_layer: bool, learnable: bool
) -> PolynomialActivation:
    """The activation that expands `curve` for normal inputs with the range of `x`, `[N, C, ...]`; tracks the range."""
    bound = largest_per_channel(x, 1 if per_layer else x.shape[1])
    s = bound / HERMITE_UPPER_BOUND + EPSILON
    weight = hermite(curve, s, degree) * s.double()
    return PolynomialActivation(weight.to(x), bound, upper_bound=HERMITE_UPPER_BOUND, learnable=learnable, track=True)


def fitted_activation(
    x: Tensor, target: Tensor, degree: int, *, per_layer: bool, learnable: bool, bound: Bound
) -> PolynomialActivation:
    """The activation that best gives `target` from `x`, both `[N, C, ...]`; its range is `bound` of `x` and stays."""
    channels = 1 if per_layer else x.shape[1]
    running_max = bound.of(x).expand(channels)
    s = (running_max.double() + EPSILON).unsqueeze(1)
    rows = x.transpose(0, 1).reshape(channels, -1).double() / s
    wanted = target.transpose(0, 1).reshape(channels, -1).double()
    weight = least_squares(rows, wanted, degree)
    return PolynomialActivation(weight.to(x), running_max, upper_bound=1.0, learnable=learnable)
