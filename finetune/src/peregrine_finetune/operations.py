"""Which operations of a traced network are activations, pools, or already polynomial."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from .activation import PolynomialActivation
from .fit import Curve

_ACTIVATION_FUNCTIONS: dict[Any, Curve] = {
    F.relu: F.relu,
    F.relu_: F.relu,
    torch.relu: F.relu,
    torch.relu_: F.relu,
    F.relu6: F.relu6,
    F.leaky_relu: F.leaky_relu,
    F.leaky_relu_: F.leaky_relu,
    F.silu: F.silu,
    F.hardswish: F.hardswish,
    F.gelu: F.gelu,
}
_ACTIVATION_METHODS: dict[str, Curve] = {"relu": F.relu, "relu_": F.relu}
_IN_PLACE = {F.relu_, torch.relu_, F.leaky_relu_, "relu_"}
#: Keyword arguments of an activation function that shape its curve, in the order of its positional ones.
_CURVE_OPTIONS: dict[Any, tuple[str, ...]] = {
    F.leaky_relu: ("negative_slope",),
    F.leaky_relu_: ("negative_slope",),
    F.gelu: ("approximate",),
}

_LINEAR_MODULES = (
    nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Unflatten, nn.Identity,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.ZeroPad1d, nn.ZeroPad2d, nn.ConstantPad1d, nn.ConstantPad2d,
    nn.PixelShuffle, nn.PixelUnshuffle, PolynomialActivation,
)  # fmt: skip
_CLIENT_MODULES = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.Tanh)
_POLYNOMIAL_FUNCTIONS = {
    operator.add, operator.iadd, operator.sub, operator.isub, operator.mul, operator.imul,
        operator.neg, operator.getitem, getattr, torch.add, torch.sub, torch.mul, torch.neg,
    torch.square, torch.cat, torch.concat, torch.flatten, torch.reshape, torch.permute, torch.transpose, torch.squeeze,
    torch.unsqueeze, torch.mean, torch.sum, torch.chunk, torch.split, torch.stack, F.pad, F.avg_pool2d, torch.matmul,
    F.adaptive_avg_pool2d, F.dropout, F.linear, torch.conv2d, F.conv2d, F.batch_norm, F.pixel_shuffle,
}  # fmt: skip
_POLYNOMIAL_METHODS = {
    "add", "add_", "sub", "sub_", "mul", "mul_", "neg", "square", "flatten", "view", "reshape", "permute", "transpose",
    "contiguous", "mean", "sum", "size", "dim", "squeeze", "unsqueeze", "chunk", "split", "detach", "expand",
}  # fmt: skip
_QUOTIENTS = {operator.truediv, operator.itruediv, operator.floordiv, torch.div, "div", "div_"}
_POWERS = {operator.pow, torch.pow, "pow"}
_CLIENT_FUNCTIONS = {F.softmax, F.log_softmax, torch.softmax, torch.log_softmax, torch.sigmoid, F.sigmoid, torch.tanh}
_CLIENT_METHODS = {"softmax", "log_softmax", "sigmoid", "tanh"}
_SHAPE_FUNCTIONS = {torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze}


@dataclass(frozen=True)
class Activation:
    """A call of a function that is to become a polynomial."""

    name: str
    curve: Curve
    in_place: bool


@dataclass(frozen=True)
class Pool:
    """A maximum pool and the average pool that replaces it."""

    name: str
    average: nn.Module


@dataclass(frozen=True)
class Kept:
    """A polynomial operation, or one that the client does after decryption."""


@dataclass(frozen=True)
class Refused:
    """An operation without a polynomial form."""

    name: str
    reason: str


Kind = Activation | Pool | Kept | Refused


def classify(node: fx.Node, modules: dict[str, nn.Module]) -> Kind:
    """What becomes of one node of a traced network."""
    if node.op == "call_module":
        return _classify_module(node, modules[str(node.target)])
    if node.op in ("call_function", "call_method"):
        return _classify_call(node)
    return Kept()


def _classify_module(node: fx.Node, module: nn.Module) -> Kind:
    name = type(module).__name__
    curve = _module_curve(module)
    if curve is not None:
        return Activation(name, curve, bool(getattr(module, "inplace", False)))
    if isinstance(module, nn.MaxPool2d):
        return _average(
            name, module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode,
            module.return_indices,
        )  # fmt: skip
    if isinstance(module, nn.AdaptiveMaxPool2d):
        if module.return_indices:
            return Refused(name, "an average pool has no indices to return")
        return Pool(name, nn.AdaptiveAvgPool2d(module.output_size))
    if isinstance(module, nn.Upsample):
        return _nearest(name, module.mode)
    if isinstance(module, _CLIENT_MODULES):
        return _client(node, name)
    if isinstance(module, _LINEAR_MODULES):
        return Kept()
    return Refused(name, "no polynomial form is known for this module")


def _module_curve(module: nn.Module) -> Curve | None:
    match module:
        case nn.ReLU():
            return F.relu
        case nn.ReLU6():
            return F.relu6
        case nn.LeakyReLU():
            return partial(F.leaky_relu, negative_slope=module.negative_slope)
        case nn.SiLU():
            return F.silu
        case nn.Hardswish():
            return F.hardswish
        case nn.GELU():
            return partial(F.gelu, approximate=module.approximate)
        case _:
            return None


def _classify_call(node: fx.Node) -> Kind:
    target: Any = node.target
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    curve = (_ACTIVATION_METHODS if node.op == "call_method" else _ACTIVATION_FUNCTIONS).get(target)
    if curve is not None:
        options = dict(zip(_CURVE_OPTIONS.get(target, ()), node.args[1:], strict=False))
        options |= {key: node.kwargs[key] for key in _CURVE_OPTIONS.get(target, ()) if key in node.kwargs}
        in_place = target in _IN_PLACE or bool(node.kwargs.get("inplace", False))
        return Activation(name, partial(curve, **options) if options else curve, in_place)
    if target in (torch.clamp, "clamp", "clamp_", "clip"):
        return _clamp(node, name)
    if _is_function(target, F.max_pool2d, torch.max_pool2d):
        return _classify_pool_call(node, name)
    if target in _QUOTIENTS:
        return _quotient(node, name)
    if target in _POWERS:
        return _power(node, name)
    if target is F.interpolate:
        return _nearest(name, str(node.kwargs.get("mode", "nearest")))
    if target in (_CLIENT_METHODS if node.op == "call_method" else _CLIENT_FUNCTIONS):
        return _client(node, name)
    if target in (_POLYNOMIAL_METHODS if node.op == "call_method" else _POLYNOMIAL_FUNCTIONS):
        return Kept()
    return Refused(name, "no polynomial form is known for this operation")


def _is_function(target: Any, *functions: Callable[..., Any]) -> bool:
    # `F.max_pool2d` is a dispatcher: what is traced may be either name.
    return any(target is function for function in functions)


def _clamp(node: fx.Node, name: str) -> Kind:
    bounds = dict(zip(("min", "max"), node.args[1:], strict=False)) | dict(node.kwargs)
    low, high = bounds.get("min"), bounds.get("max")
    if low != 0 or not (high is None or isinstance(high, int | float)):
        return Refused(name, "only a lower bound of 0 makes it a ReLU")
    curve: Curve = F.relu if high is None else partial(torch.clamp, min=0.0, max=float(high))
    return Activation(name, curve, name.endswith("_"))


def _classify_pool_call(node: fx.Node, name: str) -> Kind:
    order = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    options: dict[str, Any] = dict(zip(order, node.args[1:], strict=False))
    options |= {key: value for key, value in node.kwargs.items() if key in order}
    return _average(
        name, options["kernel_size"], options.get("stride"), options.get("padding", 0), options.get("dilation", 1),
        bool(options.get("ceil_mode", False)), bool(options.get("return_indices", False)),
    )  # fmt: skip


def _average(
    name: str, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool
) -> Kind:
    if return_indices:
        return Refused(name, "an average pool has no indices to return")
    if any(d != 1 for d in (dilation if isinstance(dilation, tuple | list) else (dilation,))):
        return Refused(name, "an average pool has no dilation")
    stride = kernel if stride is None or stride == [] else stride
    return Pool(name, nn.AvgPool2d(kernel, stride, padding, ceil_mode, count_include_pad=False))


def _quotient(node: fx.Node, name: str) -> Kind:
    divisor = node.args[1] if len(node.args) > 1 else node.kwargs.get("other")
    if isinstance(divisor, fx.Node) and not _is_size(divisor):
        return Refused(name, "only a constant can divide")
    return Kept()


def _is_size(node: fx.Node) -> bool:
    """Whether a value depends on the shapes of tensors only, or is a stored constant."""
    if node.op == "get_attr" or node.target == "size" or (node.target is getattr and node.args[1] == "shape"):
        return True
    return node.op == "call_function" and bool(node.all_input_nodes) and all(map(_is_size, node.all_input_nodes))


def _power(node: fx.Node, name: str) -> Kind:
    exponent = node.args[1] if len(node.args) > 1 else node.kwargs.get("exponent")
    if isinstance(exponent, int | float) and exponent >= 1 and float(exponent).is_integer():
        return Kept()
    return Refused(name, "only a positive whole number is an exponent of a polynomial")


def _nearest(name: str, mode: str) -> Kind:
    return Kept() if mode == "nearest" else Refused(name, f"only nearest interpolation is supported, not {mode}")


def _client(node: fx.Node, name: str) -> Kind:
    if _feeds_outputs_only(node):
        return Kept()
    return Refused(name, "it is possible at the end of the network only, where the client does it after decryption")


def _feeds_outputs_only(node: fx.Node) -> bool:
    allowed = _CLIENT_FUNCTIONS | _CLIENT_METHODS | _SHAPE_FUNCTIONS | {"flatten", "view", "reshape"}
    return all(user.op == "output" or (user.target in allowed and _feeds_outputs_only(user)) for user in node.users)
