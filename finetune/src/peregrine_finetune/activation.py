"""The polynomial that stands where an activation stood."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

#: Added to every normaliser, so that a channel that is always zero does not divide by zero.
EPSILON = 1e-3
#: The degrees that the package makes: depth 1 and 2 after redistribution of weights.
DEGREES = (2, 4)


class PolynomialActivation(nn.Module):
    """`y = s * P(x / s)` per channel, with `s = running_max / upper_bound + EPSILON`.

    The input has the channels in dimension 1: `[N, C]` or `[N, C, ...]`; the output has its shape. `running_max` is
    the bound of `|x|` for which the polynomial is meant, `[C]`, or `[1]` for one polynomial for all channels. `weight`
    is `[degree + 1, C or 1]`: row `k` is `c_k * s^k` for the coefficient `c_k` of `x^k`, with the `s` of the creation
    or the last `set_range` (`unit`, `[C or 1]`). So each row is what its term contributes at `x = s`, and the gradients
    of all degrees have comparable sizes: with bare coefficients, degree 4 diverges.

    In training mode:

    * with `track`, `running_max` follows the largest `|x|` of each batch with `momentum`; it is frozen in eval mode.
      As `P` is kept and not `c`, the curve is stretched, which is exact for ReLU and LeakyReLU.
    * `x` is clamped to `clamp_width * running_max`, so that a polynomial that is evaluated far outside cannot blow up
      the loss; `clamp_width` is infinite, unless training sets it. Eval mode and export never clamp.

    `s * P(x / s)` is the range normalisation of PolyAct-RN (arXiv 2511.18976).
    """

    weight: nn.Parameter
    running_max: Tensor
    unit: Tensor
    clamp_width: Tensor

    def __init__(
        self,
        weight: Tensor,
        running_max: Tensor,
        *,
        upper_bound: float,
        learnable: bool = True,
        track: bool = False,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        if weight.dim() != 2 or running_max.dim() != 1 or weight.shape[1] != running_max.shape[0]:
            shapes = f"{list(weight.shape)} and {list(running_max.shape)}"
            raise ValueError(f"weight is [degree + 1, channels] and running_max is [channels], not {shapes}")
        if weight.shape[0] - 1 not in DEGREES:
            raise ValueError(f"the degree is one of {DEGREES}, not {weight.shape[0] - 1}")
        if not (upper_bound > 0 and 0 < momentum <= 1):
            raise ValueError("upper_bound is positive and momentum is in (0, 1]")
        self.weight = nn.Parameter(weight.detach().clone(), requires_grad=learnable)
        self.register_buffer("running_max", running_max.detach().clone())
        self.upper_bound = upper_bound
        self.register_buffer("unit", self.normaliser())
        # A tensor, as compiled code takes a changed tensor without being compiled again.
        self.register_buffer("clamp_width", torch.tensor(math.inf), persistent=False)
        self.track = track
        self.momentum = momentum

    @property
    def degree(self) -> int:
        """The degree of the polynomial: 2 or 4."""
        return self.weight.shape[0] - 1

    @property
    def channels(self) -> int:
        """The number of polynomials: that of the channels, or 1 if all share one."""
        return self.weight.shape[1]

    def normaliser(self) -> Tensor:
        """`s`, `[C or 1]`."""
        return self.running_max / self.upper_bound + EPSILON

    def relative(self, x: Tensor) -> Tensor:
        """`|x| / running_max`, shaped as `x`: more than 1 is outside the allowed range."""
        return x.abs() / per_channel(self.running_max.clamp_min(EPSILON), x)

    def coefficients(self) -> Tensor:
        """`c_k` in float64, `[degree + 1, C or 1]`: `y = sum_k c_k x^k`."""
        return self._plain(self.weight.detach().double())

    def _plain(self, weight: Tensor) -> Tensor:
        """`c_k` for rows of `weight`, with its type."""
        s, unit = self.normaliser().to(weight), self.unit.to(weight)
        return torch.stack([row / unit * s ** (1 - k) for k, row in enumerate(weight)])

    @torch.no_grad()
    def set_range(self, running_max: Tensor) -> None:
        """Changes the bound, `[C or 1]`, and keeps the function `x -> y`."""
        coefficients = self.coefficients()
        self.running_max = running_max.detach().to(self.running_max).expand_as(self.running_max).clone()
        self.unit = self.normaliser()
        powers = torch.arange(self.degree + 1, dtype=torch.float64, device=self.unit.device).unsqueeze(1)
        self.weight.copy_(coefficients * self.unit.double() ** powers)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluates the polynomial in `ceil(log2(degree + 1))` products."""
        if self.training and self.track:
            largest = largest_per_channel(x.detach(), self.channels)
            # A new tensor instead of a change in place: two forward passes may precede one backward pass.
            self.running_max = torch.lerp(self.running_max, largest.to(self.running_max), self.momentum)
        if self.training:
            bound = per_channel(self.running_max.clamp_min(EPSILON) * self.clamp_width, x)
            x = torch.clamp(x, -bound, bound)
        return power_sum(x, [per_channel(row, x) for row in self._plain(self.weight)])

    def extra_repr(self) -> str:
        """Degree, channels and mode, as in `print(model)`."""
        return f"degree={self.degree}, channels={self.channels}, upper_bound={self.upper_bound}, track={self.track}"


def power_sum(x: Tensor, coefficients: list[Tensor]) -> Tensor:
    """`sum_k coefficients[k] * x^k` for degree 2 or 4, at depth 1 or 2 without counting constants."""
    square = x * x
    low = x * coefficients[1] + coefficients[0]
    if len(coefficients) == 3:
        return square * coefficients[2] + low
    return square * (square * coefficients[4] + x * coefficients[3] + coefficients[2]) + low


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Shapes `[C or 1]` so that it broadcasts along dimension 1 of `x`."""
    return values.reshape(1, -1, *([1] * (x.dim() - 2)))


def largest_per_channel(x: Tensor, channels: int) -> Tensor:
    """The largest `|x|` of each channel, `[channels]`; over all of them if `channels` is 1."""
    if channels == 1:
        return x.abs().amax().reshape(1)
    return x.abs().transpose(0, 1).flatten(1).amax(dim=1)


def polynomials(model: nn.Module) -> Iterator[tuple[str, PolynomialActivation]]:
    """The polynomial activations of a model and their qualified names, in the model's order."""
    for name, module in model.named_modules():
        if isinstance(module, PolynomialActivation):
            yield name, module
