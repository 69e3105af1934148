"""A converted network as an ONNX file that peregrine compiles."""

from __future__ import annotations

import copy
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .activation import EPSILON, PolynomialActivation, polynomials, power_sum
from .certify import Certificate, ValueRange
from .errors import ExportError
from .fit import HERMITE_UPPER_BOUND, hermite

#: The key of `metadata_props` that holds the ranges.
RANGES_KEY = "peregrine.ranges"
#: The version of the JSON under `RANGES_KEY`.
RANGES_VERSION = 1
_MARKER = "peregrine_finetune"
_INPUT, _OUTPUT = "input", "output"

Activations = Literal["standard", "nn_tools"]


def export(
    model: nn.Module,
    path: Path | str,
    sample: Tensor,
    *,
    certificate: Certificate | None = None,
    fold_batch_norm: bool = True,
    activations: Activations = "standard",
    opset: int = 17,
) -> None:
    """Writes a converted network as ONNX for inputs of the shape of `sample`, `[N, ...]`: `input` to `output`, or to
    `output0`, `output1` and so on.

    Polynomials become `Mul` and `Add` with a constant per channel, or with `nn_tools` the custom operator
    `nn_tools::RangeNormPoly2d`, where they are still the Hermite expansion of ReLU. `fold_batch_norm` folds batch
    normalisations into the convolutions before them. With a `certificate` its ranges go into the file's metadata under
    `RANGES_KEY`; the format is in the package's README. `model` is not changed.

    Raises `ExportError` if the network has no polynomial, if the certificate is another network's, or if one is
    no `RangeNormPoly2d`.
    """
    if opset < 17:
        raise ExportError(f"opset {opset} is older than 17, the first that is supported")
    names = [name for name, _ in polynomials(model)]
    if not names:
        raise ExportError("the network has no polynomial activation: convert it first")
    if certificate is not None and [a.name for a in certificate.activations] != names:
        raise ExportError("the certificate is that of another network: its activations have other names")
    marked, markers = _mark(model, fold_batch_norm)
    proto = _trace(marked, sample, opset)
    places = _expand(proto, markers, activations)
    proto.producer_name = "peregrine-finetune"
    if certificate is not None:
        outputs = [output.name for output in proto.graph.output]
        helper.set_model_props(proto, {RANGES_KEY: json.dumps(_ranges(certificate, places, outputs), allow_nan=False)})
    if activations == "nn_tools":
        proto.opset_import.append(helper.make_opsetid("nn_tools", 1))
    onnx.checker.check_model(proto, full_check=activations == "standard")
    onnx.save(proto, str(path))


class _MarkerFunction(torch.autograd.Function):
    """Evaluates a polynomial, and is one node in the traced graph."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, name: str, coefficients: Tensor) -> Tensor:
        rows = [row.reshape(1, -1, *([1] * (x.dim() - 2))) for row in coefficients]
        return power_sum(x, rows)

    @staticmethod
    def symbolic(g: Any, x: Any, name: str, coefficients: Any) -> Any:
        return g.op(f"{_MARKER}::Polynomial", x, name_s=name).setType(x.type())


class _Marker(nn.Module):
    """A polynomial activation during the export, with plain coefficients."""

    def __init__(self, name: str, module: PolynomialActivation) -> None:
        super().__init__()
        self.name = name
        self.source = copy.deepcopy(module).cpu()
        self.coefficients = self.source.coefficients().float()
        self.rank = 0

    def forward(self, x: Tensor) -> Tensor:
        self.rank = x.dim()
        y: Tensor = _MarkerFunction.apply(x, self.name, self.coefficients)
        return y


def _mark(model: nn.Module, fold: bool) -> tuple[nn.Module, dict[str, _Marker]]:
    marked = copy.deepcopy(model).cpu().eval()
    if fold:
        _fold_batch_norms(marked)
    markers = {}
    for name, module in list(polynomials(marked)):
        markers[name] = _Marker(name, module)
        parent, _, last = name.rpartition(".")
        setattr(marked.get_submodule(parent), last, markers[name])
    return marked, markers


def _fold_batch_norms(model: nn.Module) -> None:
    if not isinstance(model, fx.GraphModule):
        raise ExportError("only what `convert` returned can have its batch normalisations folded")
    modules = dict(model.named_modules(remove_duplicate=False))
    uses: dict[str, int] = {}
    for node in model.graph.nodes:
        if node.op == "call_module":
            uses[node.target] = uses.get(node.target, 0) + 1
    for node in list(model.graph.nodes):
        before = node.all_input_nodes[0] if node.all_input_nodes else None
        if before is None or not (node.op == before.op == "call_module") or len(before.users) != 1:
            continue
        norm, conv = modules[node.target], modules[before.target]
        once = uses[before.target] == 1
        if isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d) and once and norm.track_running_stats:
            model.set_submodule(before.target, fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            model.graph.erase_node(node)
    model.delete_all_unused_submodules()
    model.recompile()


def _trace(model: nn.Module, sample: Tensor, opset: int) -> ModelProto:
    buffer = io.BytesIO()
    with torch.no_grad():
        outputs = model(sample.cpu())
    names = [_OUTPUT] if isinstance(outputs, Tensor) else [f"{_OUTPUT}{i}" for i in range(len(outputs))]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (sample.cpu(),),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=opset,
            input_names=[_INPUT],
            output_names=names,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=True,
            custom_opsets={_MARKER: 1},
        )
    return onnx.load_from_string(buffer.getvalue())


@dataclass(frozen=True)
class _Place:
    """Names of the values before and after an activation."""

    input: str
    output: str


def _expand(proto: ModelProto, markers: dict[str, _Marker], activations: Activations) -> dict[str, _Place]:
    """Replaces markers by what they stand for."""
    graph, places, nodes = proto.graph, {}, []
    for node in graph.node:
        if node.domain != _MARKER:
            nodes.append(node)
            continue
        name = node.attribute[0].s.decode()
        places[name] = _Place(node.input[0], node.output[0])
        if activations == "standard":
            body, constants = _standard(markers[name], node.input[0], node.output[0])
        else:
            body, constants = _range_norm_poly(markers[name], node.input[0], node.output[0])
        nodes.extend(body)
        graph.initializer.extend(constants)
    del graph.node[:]
    graph.node.extend(nodes)
    kept = [entry for entry in proto.opset_import if entry.domain != _MARKER]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    return places


def _standard(marker: _Marker, x: str, y: str) -> tuple[list[NodeProto], list[TensorProto]]:
    """`x^2 * (x^2 * c4 + x * c3 + c2) + (x * c1 + c0)`, or `x^2 * c2 + (x * c1 + c0)`."""
    name, nodes = marker.name, []
    shape = [marker.source.channels, *([1] * (marker.rank - 2))]
    constants = [
        numpy_helper.from_array(np.asarray(row.numpy()).reshape(shape), f"{name}.c{k}")
        for k, row in enumerate(marker.coefficients)
    ]

    def emit(operator: str, a: str, b: str, result: str) -> str:
        nodes.append(helper.make_node(operator, [a, b], [result], name=result))
        return result

    square = emit("Mul", x, x, f"{name}.square")
    low = emit("Add", emit("Mul", x, f"{name}.c1", f"{name}.linear"), f"{name}.c0", f"{name}.low")
    high = f"{name}.c2"
    if marker.source.degree == 4:
        fourth = emit("Mul", square, f"{name}.c4", f"{name}.fourth")
        cubic = emit("Mul", x, f"{name}.c3", f"{name}.cubic")
        high = emit("Add", emit("Add", fourth, cubic, f"{name}.upper"), f"{name}.c2", f"{name}.high")
    nodes.append(helper.make_node("Mul", [square, high], [f"{name}.top"], name=f"{name}.top"))
    nodes.append(helper.make_node("Add", [f"{name}.top", low], [y], name=y))
    return nodes, constants


def _range_norm_poly(marker: _Marker, x: str, y: str) -> tuple[list[NodeProto], list[TensorProto]]:
    source = marker.source
    expected = hermite(nn.functional.relu, torch.ones(1), source.degree)
    if source.upper_bound != HERMITE_UPPER_BOUND or not torch.allclose(
        (source.weight / source.unit).detach().double(), expected.expand_as(source.weight), atol=1e-5
    ):
        raise ExportError(
            f"{marker.name} is no longer the Hermite expansion of ReLU: only standard operators express it"
        )
    maximum = numpy_helper.from_array(source.running_max.numpy(), f"{marker.name}.running_max")
    node = helper.make_node(
        "RangeNormPoly2d",
        [x, maximum.name],
        [y],
        name=y,
        domain="nn_tools",
        upper_bound=source.upper_bound,
        degree=source.degree,
        eps=EPSILON,
        activation="relu",
    )
    return [node], [maximum]


def _ranges(certificate: Certificate, places: dict[str, _Place], outputs: list[str]) -> dict[str, Any]:
    return {
        "version": RANGES_VERSION,
        "images": certificate.images,
        "images_outside": certificate.images_outside,
        "inputs": [_port(_INPUT, certificate.input)],
        "outputs": [_port(name, values) for name, values in zip(outputs, certificate.outputs, strict=True)],
        "activations": [
            {
                "name": a.name,
                "input": places[a.name].input,
                "output": places[a.name].output,
                "low": _finite(a.low),
                "high": _finite(a.high),
                "channel_low": [_finite(channel.low) for channel in a.channels],
                "channel_high": [_finite(channel.high) for channel in a.channels],
                "allowed": a.allowed,
                "images_outside": a.images_outside,
                "verdict": a.verdict,
            }
            for a in certificate.activations
        ],
    }


def _port(name: str, values: ValueRange) -> dict[str, Any]:
    return {"name": name, "low": _finite(values.low), "high": _finite(values.high)}


def _finite(value: float) -> float | None:
    """JSON has no infinity: an activation that nothing finite reached has no range."""
    return value if np.isfinite(value) else None
