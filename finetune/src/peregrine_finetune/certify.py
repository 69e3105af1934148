"""Do all images stay where the polynomials are meant? A measurement, not a proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .activation import PolynomialActivation, polynomials

Verdict = Literal["holds", "leaves", "diverges"]


@dataclass(frozen=True)
class ActivationRange:
    """What reached one activation: `low` and `high` over everything finite, and the bound of `|x|` that is allowed.

    `channels` are the ranges of each. Bounds are per channel: `allowed` is the largest of them, `ratio` the largest
    `|x|` over its own bound, and `images_outside` counts images with any input outside the bound of its channel.
    """

    name: str
    low: float
    high: float
    allowed: float
    ratio: float
    images_outside: int
    images_not_finite: int
    channels: tuple[ValueRange, ...]

    @property
    def verdict(self) -> Verdict:
        """`diverges` if any input was infinite or no number, `leaves` if any was outside the bound."""
        if self.images_not_finite:
            return "diverges"
        return "leaves" if self.images_outside else "holds"


@dataclass(frozen=True)
class ValueRange:
    """The smallest and the largest finite element of a value of all images; infinite and swapped if there was none."""

    low: float = math.inf
    high: float = -math.inf

    def joined(self, x: Tensor) -> ValueRange:
        """The range with the elements of `x`."""
        x = x[torch.isfinite(x)]
        if not len(x):
            return self
        return ValueRange(min(self.low, float(x.min())), max(self.high, float(x.max())))


@dataclass(frozen=True)
class Certificate:
    """The ranges of all activations over `images` images; `images_outside` left the range of at least one of them.

    `input` is that of the network, `outputs` are in its order.
    """

    images: int
    images_outside: int
    margin: float
    input: ValueRange
    outputs: tuple[ValueRange, ...]
    activations: tuple[ActivationRange, ...]

    @property
    def holds(self) -> bool:
        """Whether no image left any range."""
        return self.images_outside == 0

    @property
    def verdict(self) -> Verdict:
        """The worst of all activations."""
        found = {activation.verdict for activation in self.activations}
        return "diverges" if "diverges" in found else "leaves" if "leaves" in found else "holds"

    def __str__(self) -> str:
        width = max([len("activation"), *(len(a.name) for a in self.activations)])
        head = (
            f"{'activation':{width}}  {'low':>10}  {'high':>10}  {'allowed':>10}  {'ratio':>8}  {'outside':>8}  verdict"
        )
        rows = [
            f"{a.name:{width}}  {a.low:10.4g}  {a.high:10.4g}  {a.allowed:10.4g}  {a.ratio:8.3g}"
            f"  {a.images_outside:8}  {a.verdict}"
            for a in self.activations
        ]
        end = f"{self.verdict}: {self.images_outside} of {self.images} images leave the allowed range"
        return "\n".join([head, *rows, end])


@torch.no_grad()
def certify(model: nn.Module, loader: Iterable[Any], *, margin: float = 1.0) -> Certificate:
    """Runs `model` in eval mode on all batches, and compares the inputs of its polynomials with their bounds.

    Batches are tensors `[N, ...]`, or tuples that begin with one. An input is allowed while `|x|` is at most
    `margin * running_max` of its channel. What is not finite counts as outside. The mode of the model is restored.
    """
    observers = {name: _Observer(name, module, margin) for name, module in polynomials(model)}
    images = outside = 0
    given = ValueRange()
    made: list[ValueRange] = []
    with _watching(model, lambda name, module, x: observers[name].observe(module, x)):
        for batch in loader:
            x, y = _forward(model, batch)
            images, given = images + len(x), given.joined(x)
            made = [known.joined(value) for known, value in zip(made or [ValueRange()] * len(y), y, strict=True)]
            left = [observer.take() for observer in observers.values()]
            outside += int(torch.stack(left).any(dim=0).sum()) if left else 0
    activations = tuple(observer.range() for observer in observers.values())
    return Certificate(images, outside, margin, given, tuple(made), activations)


class _Observer:
    """Follows one activation over all batches."""

    def __init__(self, name: str, module: PolynomialActivation, margin: float) -> None:
        self.name = name
        self.margin = margin
        self.allowed = float(module.running_max.max()) * margin
        self.ratio = 0.0
        self.low, self.high = torch.tensor([math.inf]), torch.tensor([-math.inf])
        self.outside = self.not_finite = 0
        self.left: Tensor | None = None

    def observe(self, module: PolynomialActivation, x: Tensor) -> None:
        finite = torch.isfinite(x)
        rows = x.transpose(0, 1).flatten(1)
        low = rows.nan_to_num(math.inf, math.inf, math.inf).amin(1)
        high = rows.nan_to_num(-math.inf, -math.inf, -math.inf).amax(1)
        self.low, self.high = torch.minimum(self.low.to(low), low), torch.maximum(self.high.to(high), high)
        relative = (module.relative(x) / self.margin).flatten(1).amax(dim=1)
        lost = ~finite.flatten(1).all(dim=1)
        known = relative[~lost]
        if len(known):
            self.ratio = max(self.ratio, float(known.max()))
        if bool(lost.any()):
            self.ratio = math.inf
        left = lost | (relative > 1)
        self.outside += int(left.sum())
        self.not_finite += int(lost.sum())
        self.left = left if self.left is None else self.left | left

    def take(self) -> Tensor:
        left, self.left = self.left, None
        assert left is not None, f"{self.name} was not reached by the forward pass"
        return left

    def range(self) -> ActivationRange:
        channels = tuple(ValueRange(*ends) for ends in zip(self.low.tolist(), self.high.tolist(), strict=True))
        low, high = float(self.low.min()), float(self.high.max())
        counts = (self.outside, self.not_finite)
        return ActivationRange(self.name, low, high, self.allowed, self.ratio, *counts, channels)


@torch.no_grad()
def calibrate(model: nn.Module, loader: Iterable[Any], *, margin: float = 1.01) -> int:
    """Sets every bound to `margin` times the largest `|x|` that is seen, and keeps the network's function.

    A margin above 1 also covers what rounding changes, and what images not seen may reach beyond. Images on which any
    activation is not finite are left out; how many is returned.
    """
    largest: dict[str, Tensor] = {}
    batch_largest: dict[str, Tensor] = {}
    left_out = 0

    def observe(name: str, module: PolynomialActivation, x: Tensor) -> None:
        seen = x.abs().flatten(2).amax(dim=2) if x.dim() > 2 else x.abs()
        seen = seen if module.channels > 1 else seen.amax(dim=1, keepdim=True)
        batch_largest[name] = torch.maximum(batch_largest[name], seen) if name in batch_largest else seen

    with _watching(model, observe):
        for batch in loader:
            batch_largest.clear()
            _forward(model, batch)
            finite = torch.stack([torch.isfinite(seen).all(dim=1) for seen in batch_largest.values()]).all(dim=0)
            left_out += int((~finite).sum())
            for name, seen in batch_largest.items():
                most = torch.where(finite.unsqueeze(1), seen, 0).amax(dim=0)
                largest[name] = torch.maximum(largest[name], most) if name in largest else most
    for name, module in polynomials(model):
        if name in largest:
            module.set_range(largest[name] * margin)
    return left_out


@contextmanager
def _watching(model: nn.Module, observe: Callable[[str, PolynomialActivation, Tensor], None]) -> Iterator[None]:
    """Eval mode, and `observe` called with the input of every polynomial; both end with the context."""
    modes = {module: module.training for module in model.modules()}
    hooks = [
        module.register_forward_pre_hook(lambda m, inputs, name=name: observe(name, m, inputs[0]))
        for name, module in polynomials(model)
    ]
    model.eval()
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode


def _forward(model: nn.Module, batch: Any) -> tuple[Tensor, Sequence[Tensor]]:
    """Runs one batch; the images and all that the network gives."""
    x: Tensor = batch if isinstance(batch, Tensor) else batch[0]
    y = model(x.to(next(model.parameters()).device))
    return x, (y,) if isinstance(y, Tensor) else y
