"""First coefficients: Hermite expansion for a normal input, or least squares on the inputs that a layer really has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .activation import EPSILON, PolynomialActivation, largest_per_channel

Curve = Callable[[Tensor], Tensor]

#: Standard deviations that the bound stands for in a Hermite expansion, as in PolyAct-RN.
HERMITE_UPPER_BOUND = 3.0
#: Relative ridge of the least squares: keeps channels that are constant solvable.
RIDGE = 1e-9
#: Inputs that are spread evenly over a range.
EVEN_POINTS = 201


@dataclass(frozen=True)
class Bound:
    """The bound of `|x|` that a fitted activation gets, and how much the fit looks at it.

    A layer's bound is `headroom` times the median over the samples of an image's largest `|x|`, but no less than
    `least` and no more than `most`. A channel's is the same of its own inputs, but no less than `narrowest` times the
    layer's and no more than the layer's: with `narrowest=1`, one bound serves all channels.

    It is a median, as the largest of all samples follows the one odd image, and a wide range costs both accuracy of the
    polynomial and precision of the ciphertext. `least` and `most` suit networks with batch normalisation, where
    activations see a few standard deviations; above `most`, training has to shrink values.

    `even` is the weight in the least squares of inputs spread evenly over the range, relative to that of the samples:
    where a channel has none, the polynomial would be anything.
    """

    headroom: float = 1.25
    least: float = 4.0
    most: float = 10.0
    narrowest: float = 1.0
    even: float = 0.0

    def __post_init__(self) -> None:
        if not (self.headroom > 0 and 0 < self.least <= self.most and 0 < self.narrowest <= 1 and self.even >= 0):
            raise ValueError("headroom is positive, 0 < least <= most, 0 < narrowest <= 1, and even is not negative")

    def of(self, x: Tensor, channels: int) -> Tensor:
        """The bounds for samples `[N, C, ...]`, `[channels]`: `C`, or 1 for all of them together."""
        largest = x.abs().flatten(2).amax(dim=2) if x.dim() > 2 else x.abs()
        layer = (self.headroom * largest.amax(dim=1).median()).clamp(self.least, self.most)
        if channels == 1:
            return layer.reshape(1)
        own = self.headroom * largest.median(dim=0).values
        return own.maximum(self.narrowest * layer).minimum(layer)


#: By degree. Beyond its range a quadratic errs little: one for the layer is enough, and a narrow one makes the better
#: fit. A quartic grows fast beyond it, so that training starts well if few images leave its range.
BOUNDS = {2: Bound(), 4: Bound(headroom=2.0, least=1.0, most=math.inf, narrowest=0.5, even=0.003)}


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


class Points(NamedTuple):
    """Values of a curve to be fitted: `x` and `y` are `[C, M]`, `weight` is that of all of them together."""

    x: Tensor
    y: Tensor
    weight: float = 1.0


def least_squares(parts: Sequence[Points], degree: int) -> Tensor:
    """Fits `y` by a polynomial of `x` for each row, `[degree + 1, C]`."""
    gram, right = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for part in parts:
        powers = torch.stack([part.x.double() ** k for k in range(degree + 1)], dim=2)
        weight = part.weight / part.x.shape[1]
        gram = gram + weight * (powers.transpose(1, 2) @ powers)
        right = right + weight * (powers.transpose(1, 2) @ part.y.double().unsqueeze(2))
    ridge = RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1).clamp_min(RIDGE)
    gram = gram + ridge[:, None, None] * torch.eye(degree + 1, dtype=torch.float64)
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
    curve: Curve, x: Tensor, target: Tensor, degree: int, *, per_layer: bool, learnable: bool, bound: Bound
) -> PolynomialActivation:
    """The activation that best gives `target` from `x`, both `[N, C, ...]`, and, as `bound` weighs it, `curve` in its
    range. That is `bound` of `x`, and stays.
    """
    channels = 1 if per_layer else x.shape[1]
    running_max = bound.of(x, channels)
    s = (running_max.double() + EPSILON).unsqueeze(1)
    rows = x.transpose(0, 1).reshape(channels, -1).double() / s
    wanted = target.transpose(0, 1).reshape(channels, -1).double()
    even = torch.linspace(-1, 1, EVEN_POINTS, dtype=torch.float64).expand(channels, -1)
    weight = least_squares([Points(rows, wanted), Points(even, curve(even * s), bound.even)], degree)
    return PolynomialActivation(weight.to(x), running_max, upper_bound=1.0, learnable=learnable)
