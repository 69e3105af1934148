"""Conversion: what is replaced, what is refused and how it is named, and that the rest stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from conftest import DigitNet, accuracy
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from peregrine_finetune import ConversionError, PolynomialActivation, convert, polynomials
from peregrine_finetune.models import SmallVgg, resnet20, resnet32, resnet44, yolov5n


class Calls(nn.Module):
    """Convolution, then any function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


ACTIVATIONS: list[Callable[[Tensor], Tensor]] = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.2), nn.SiLU(), nn.Hardswish(), nn.GELU(),
    nn.GELU(approximate="tanh"), F.relu, F.relu6, F.leaky_relu, F.silu, F.hardswish, F.gelu, torch.relu,
    lambda x: x.relu(), lambda x: x.relu_(), lambda x: F.leaky_relu(x, 0.3), lambda x: F.gelu(x, approximate="tanh"),
    lambda x: x.clamp(min=0), lambda x: torch.clamp(x, 0, 6), lambda x: F.relu(input=x),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(ACTIVATIONS)))
@pytest.mark.parametrize("degree", [2, 4])
@pytest.mark.parametrize("init", ["least_squares", "hermite"])
def test_every_spelling_of_an_activation_becomes_a_polynomial(index: int, degree: int, init: Any) -> None:
    torch.manual_seed(index)
    model = Calls(ACTIVATIONS[index])
    x = torch.randn(32, 2, 6, 6)
    untouched = x.clone()
    converted, report = convert(model, x, degree=degree, init=init)
    assert [(r.by, len(report.replacements)) for r in report.replacements] == [(f"degree {degree}", 1)]
    assert len(list(polynomials(converted))) == 1
    with torch.no_grad():
        wanted = model(x.clone())
        missed = float((converted(x) - wanted).norm() / wanted.norm())
    assert missed < 0.3
    assert missed == pytest.approx(report.replacements[0].error, rel=1e-3)
    assert torch.equal(x, untouched)


def test_a_users_model_converts_by_one_call(trained: DigitNet, digits: TensorDataset) -> None:
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    converted, report = convert(trained, digits.tensors[0][:256], degree=4)
    assert [(r.module, r.operation, r.by) for r in report.replacements] == [
        ("relu", "ReLU", "degree 4"),
        ("relu_2", "ReLU", "degree 4"),
        ("pool", "MaxPool2d", "AvgPool2d"),
        ("relu_3", "relu", "degree 4"),
    ]
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    kept = converted.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in before.items())
    assert accuracy(converted, digits) > 0.5


def test_every_call_of_one_module_has_its_own_polynomial() -> None:
    converted, _ = convert(DigitNet(), torch.randn(16, 1, 8, 8))
    found = dict(polynomials(converted))
    assert len({id(module.weight) for module in found.values()}) == 3
    assert [module.channels for module in found.values()] == [8, 8, 32]


def test_one_polynomial_per_layer_and_fixed_coefficients() -> None:
    converted, _ = convert(DigitNet(), torch.randn(16, 1, 8, 8), scope="layer", learnable=False)
    for _, module in polynomials(converted):
        assert module.channels == 1
        assert not module.weight.requires_grad


def test_later_readers_of_an_activation_in_place_see_its_result() -> None:
    class PreActivation(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
            self.conv2 = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv1(x)
            y = F.relu(x, inplace=True)
            return cast(Tensor, self.conv2(y) + x)

    torch.manual_seed(0)
    model, x = PreActivation(), torch.randn(64, 2, 6, 6)
    converted, _ = convert(model, x, degree=4)
    with torch.no_grad():
        wanted = model(x)
        assert float((converted(x) - wanted).norm() / wanted.norm()) < 0.15


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), lambda x: F.max_pool2d(x, 3, stride=2, padding=1), nn.AdaptiveMaxPool2d(2),
     lambda x: F.max_pool2d(x, 2), lambda x: F.max_pool2d(x, kernel_size=(2, 1), ceil_mode=True)],
)  # fmt: skip
@pytest.mark.parametrize("size", [5, 6, 9])
def test_average_pools_have_the_shape_of_maximum_pools(pool: Callable[[Tensor], Tensor], size: int) -> None:
    model, x = Calls(pool), torch.randn(2, 2, size, size)
    converted, report = convert(model, x)
    assert converted(x).shape == model(x).shape
    assert len(report.replacements) == 1
    ones = nn.Sequential(*[module for module in converted.modules() if "AvgPool" in type(module).__name__])
    assert torch.allclose(ones(torch.ones(1, 4, size, size)), torch.ones(()))


class Refusing(nn.Module):
    """Three things without a polynomial form, at three places."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ELU())
        self.head = Calls(torch.exp)
        self.pool = nn.MaxPool2d(2, dilation=2)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.block(x))
        return cast(Tensor, self.head(self.gate(x[:, :2])))


def test_all_obstacles_are_listed_by_module_with_the_reason() -> None:
    with pytest.raises(ConversionError) as refused:
        convert(Refusing(), torch.randn(2, 2, 12, 12))
    assert [(o.module, o.operation) for o in refused.value.obstacles] == [
        ("block.1", "ELU"),
        ("pool", "MaxPool2d"),
        ("gate", "Sigmoid"),
        ("head", "exp"),
    ]
    assert "an average pool has no dilation" in str(refused.value)
    assert "end of the network" in str(refused.value)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x / x.sum(), "only a constant can divide"),
        (lambda x: x**0.5, "exponent"),
        (lambda x: x.pow(-1), "exponent"),
        (lambda x: torch.max(x, torch.zeros(())), "no polynomial form"),
        (lambda x: x * x.sigmoid(), "end of the network"),
        (lambda x: x.clamp(min=-1), "lower bound of 0"),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], "no indices|no polynomial form"),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), "nearest"),
        (nn.InstanceNorm2d(4), "no polynomial form"),
    ],
)
def test_what_is_no_polynomial_is_refused(function: Callable[[Tensor], Tensor], reason: str) -> None:
    with pytest.raises(ConversionError, match=reason):
        convert(Calls(function), torch.randn(2, 2, 6, 6))


@pytest.mark.parametrize(
    "function",
    [lambda x: x**2, lambda x: torch.pow(x, 3), lambda x: x / 4, lambda x: x.sum((2, 3)) / x.size(2),
     lambda x: torch.cat(x.chunk(2, 1), 1), lambda x: x[:, :, ::2] + x[:, :, 1::2], lambda x: x / x.shape[0]],
)  # fmt: skip
def test_what_is_a_polynomial_already_stays(function: Callable[[Tensor], Tensor]) -> None:
    model, x = Calls(function), torch.randn(2, 2, 6, 6)
    converted, report = convert(model, x)
    assert (report.replacements, report.obstacles) == ((), ())
    assert torch.equal(converted(x), model(x))


def test_without_strict_obstacles_stay_and_are_reported() -> None:
    model, x = Refusing(), torch.randn(2, 2, 12, 12)
    converted, report = convert(model, x, strict=False)
    assert [o.module for o in report.obstacles] == ["block.1", "pool", "gate", "head"]
    assert torch.allclose(converted(x), model(x))
    assert "left as it was: block.1: ELU" in str(report)


def test_control_flow_on_values_is_refused_with_the_reason() -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ConversionError, match=r"Branching: torch\.fx cannot trace it"):
        convert(Branching(), torch.randn(1, 2))


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.Sigmoid(), lambda x: torch.softmax(x.flatten(1), 1)])
def test_the_client_may_do_the_last_step(last: Callable[[Tensor], Tensor]) -> None:
    converted, report = convert(Calls(last), torch.randn(2, 2, 4, 4))
    assert report.replacements == ()
    assert not any(isinstance(module, PolynomialActivation) for module in converted.modules())


@pytest.mark.parametrize(
    ("build", "activations", "pools"),
    [(resnet20, 19, 0), (resnet32, 31, 0), (resnet44, 43, 0), (SmallVgg, 6, 3)],
)
def test_the_examples_convert(build: Callable[[], nn.Module], activations: int, pools: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 3, 32, 32)
    converted, report = convert(build(), x)
    assert sum("degree" in r.by for r in report.replacements) == activations
    assert sum("Pool" in r.by for r in report.replacements) == pools
    assert converted(x).shape == (8, 10)


def test_yolov5n_converts() -> None:
    torch.manual_seed(0)
    network = yolov5n()
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_872_157
    converted, report = convert(network, torch.randn(2, 3, 64, 64))
    assert sum("degree" in r.by for r in report.replacements) == 57
    assert sum("Pool" in r.by for r in report.replacements) == 3
    assert [y.shape[2] for y in converted(torch.randn(1, 3, 64, 64))] == [8, 4, 2]


def test_mobilenet_converts() -> None:
    pytest.importorskip("torchvision")
    from peregrine_finetune.models import mobilenet_v2

    torch.manual_seed(0)
    converted, report = convert(mobilenet_v2(10, width=0.25), torch.randn(4, 3, 32, 32))
    assert len(report.replacements) == 35
    assert converted(torch.randn(1, 3, 32, 32)).shape == (1, 10)


def test_degree_three_is_refused() -> None:
    with pytest.raises(ValueError, match="degree"):
        convert(DigitNet(), torch.randn(2, 1, 8, 8), degree=3)
