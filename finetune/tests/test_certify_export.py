"""Certificates, and ONNX files as onnxruntime computes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import DigitNet
from onnx import numpy_helper
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from peregrine_finetune import (
    RANGES_KEY,
    ExportError,
    PolynomialActivation,
    calibrate,
    certify,
    convert,
    export,
    polynomials,
)
from peregrine_finetune.models import resnet20, yolov5n


def lone(bound: list[float]) -> nn.Module:
    weight = torch.ones(3, len(bound))
    conv = nn.Conv2d(2, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2).reshape(2, 2, 1, 1))
    return nn.Sequential(conv, PolynomialActivation(weight, torch.tensor(bound), upper_bound=1.0))


def image(first: float, second: float) -> Tensor:
    return torch.tensor([first, second], dtype=torch.float32).reshape(1, 2, 1, 1)


def test_inputs_that_leave_are_counted_per_image_and_channel() -> None:
    model = lone([1.0, 10.0]).train()
    batches = [torch.cat([image(0.5, 9), image(-1.5, 2)]), image(1.0, -10.0), (image(0, 10.5), "label")]
    certificate = certify(model, batches)
    (found,) = certificate.activations
    assert (certificate.images, certificate.images_outside, certificate.holds) == (4, 2, False)
    assert (found.low, found.high, found.allowed) == (-10.0, 10.5, 10.0)
    assert [(c.low, c.high) for c in found.channels] == [(-1.5, 1.0), (-10.0, 10.5)]
    assert found.ratio == pytest.approx(1.5)
    assert (found.images_outside, found.images_not_finite, found.verdict) == (2, 0, "leaves")
    assert "leaves: 2 of 4 images leave the allowed range" in str(certificate)
    assert certificate.verdict == "leaves"
    assert certify(model, batches, margin=1.5).verdict == "holds"
    assert model.training


@pytest.mark.parametrize("bad", [float("inf"), float("-inf"), float("nan")])
def test_what_is_not_finite_diverges(bad: float) -> None:
    certificate = certify(lone([1.0, 1.0]), [torch.cat([image(bad, 0.5), image(0.5, -0.5)])])
    (found,) = certificate.activations
    assert (found.verdict, found.images_outside, found.images_not_finite) == ("diverges", 1, 1)
    assert found.high == 0.5
    assert certificate.verdict == "diverges"
    assert certificate.images_outside == 1


def test_an_image_that_leaves_twice_counts_once() -> None:
    model = nn.Sequential(lone([1.0, 1.0]), PolynomialActivation(torch.ones(3, 2), torch.ones(2), upper_bound=1.0))
    certificate = certify(model, [torch.cat([image(5, 5), image(-0.1, -0.1)])])
    assert [a.images_outside for a in certificate.activations] == [1, 1]
    assert certificate.images_outside == 1


def test_calibration_makes_the_certificate_hold_and_keeps_the_function(
    trained: DigitNet, digits: TensorDataset
) -> None:
    images = digits.tensors[0]
    model = convert(trained, images[:32], degree=4).model
    loader = DataLoader(digits, 256)
    with torch.no_grad():
        before = model(images)
    assert not certify(model, loader).holds
    calibrate(model, loader)
    assert certify(model, loader).holds
    assert not certify(model, loader, margin=0.95).holds
    with torch.no_grad():
        assert torch.allclose(model(images), before, atol=1e-3 * float(before.abs().max()))


def test_calibration_leaves_out_images_that_diverge() -> None:
    model = nn.Sequential(lone([1.0, 1.0]), PolynomialActivation(torch.ones(3, 2), torch.ones(2), upper_bound=1.0))
    batches = [torch.cat([image(2, 3), image(1e30, 0)]), image(float("nan"), 0), image(0.5, -4)]
    assert calibrate(model, batches, margin=1.5) == 2
    first, second = (module for _, module in polynomials(model))
    assert first.running_max.tolist() == [3.0, 6.0]
    assert second.running_max.tolist() == pytest.approx([1.5 * (1 + 2 + 4), 1.5 * (1 + 3 + 9)], rel=0.01)


def run(path: Path, x: Tensor) -> np.ndarray[Any, Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    output: np.ndarray[Any, Any] = session.run(None, {"input": x.numpy()})[0]
    return output


@pytest.mark.parametrize("degree", [2, 4])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("scope", ["channel", "layer"])
def test_the_file_computes_what_the_network_computes(
    trained: DigitNet, digits: TensorDataset, tmp_path: Path, degree: int, fold: bool, scope: Any
) -> None:
    images, path = digits.tensors[0][:64], tmp_path / "model.onnx"
    model = convert(trained, images, degree=degree, scope=scope).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export(model, path, images, fold_batch_norm=fold)
    with torch.no_grad():
        wanted = model(images).numpy()
    assert np.abs(run(path, images) - wanted).max() < 1e-4 * np.abs(wanted).max()
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert ("BatchNormalization" in operators) is not fold
    allowed = {
        "Conv",
        "BatchNormalization",
        "Mul",
        "Add",
        "AveragePool",
        "Flatten",
        "Gemm",
        "Identity",
        "Pad",
        "Constant",
    }
    assert operators <= allowed
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("fold", [True, False])
def test_resnet20_exports(tmp_path: Path, fold: bool) -> None:
    torch.manual_seed(0)
    x, path = torch.randn(2, 3, 32, 32), tmp_path / "resnet20.onnx"
    model = convert(resnet20(), torch.randn(8, 3, 32, 32)).model
    export(model, path, x, fold_batch_norm=fold)
    with torch.no_grad():
        wanted = model(x).numpy()
    assert np.abs(run(path, x) - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert path.stat().st_size < 1_300_000


def test_a_detector_with_three_outputs_exports(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, path = torch.randn(2, 3, 64, 64), tmp_path / "yolov5n.onnx"
    model = convert(yolov5n(classes=3), x).model
    certificate = certify(model, [x])
    export(model, path, x[:1], certificate=certificate)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": x[:1].numpy()})
    with torch.no_grad():
        wanted = [y.numpy() for y in model(x[:1])]
    for a, b in zip(found, wanted, strict=True):
        assert a.shape[1] == 24
        assert np.abs(a - b).max() < 1e-3 * np.abs(b).max()
    ranges = json.loads(onnx.load(path).metadata_props[0].value)
    assert [output["name"] for output in ranges["outputs"]] == ["output0", "output1", "output2"]


def test_ranges_are_in_the_metadata_with_the_names_of_values(
    trained: DigitNet, digits: TensorDataset, tmp_path: Path
) -> None:
    images, path = digits.tensors[0][:64], tmp_path / "model.onnx"
    model = convert(trained, images).model
    calibrate(model, [images])
    certificate = certify(model, [images])
    export(model, path, images[:1], certificate=certificate)
    proto = onnx.load(path)
    ranges = json.loads({p.key: p.value for p in proto.metadata_props}[RANGES_KEY])
    assert (ranges["version"], ranges["images"], ranges["images_outside"]) == (1, 64, 0)
    shown = {"name": "input", "low": float(images.min()), "high": float(images.max())}
    assert ranges["inputs"] == [shown]
    assert [(o["name"], o["low"]) for o in ranges["outputs"]] == [("output", certificate.outputs[0].low)]
    assert [a["name"] for a in ranges["activations"]] == [name for name, _ in polynomials(model)]
    written = {value for node in proto.graph.node for value in node.output}
    for entry, measured in zip(ranges["activations"], certificate.activations, strict=True):
        assert {entry["input"], entry["output"]} <= written
        assert (entry["low"], entry["high"], entry["allowed"]) == (measured.low, measured.high, measured.allowed)
        assert entry["verdict"] == "holds"
        assert entry["channel_low"] == [channel.low for channel in measured.channels]
        assert (min(entry["channel_low"]), max(entry["channel_high"])) == (measured.low, measured.high)


def test_the_named_values_are_the_inputs_of_the_activations(
    trained: DigitNet, digits: TensorDataset, tmp_path: Path
) -> None:
    images, path = digits.tensors[0][:64], tmp_path / "model.onnx"
    model = convert(trained, images, degree=4).model
    export(model, path, images, certificate=certify(model, [images]))
    proto = onnx.load(path)
    ranges = json.loads(proto.metadata_props[0].value)["activations"]
    for entry in ranges:
        proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(entry["input"]))
    onnx.save(proto, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values = session.run([entry["input"] for entry in ranges], {"input": images.numpy()})
    for entry, value in zip(ranges, values, strict=True):
        assert value.min() == pytest.approx(entry["low"], rel=1e-3, abs=1e-4)
        assert value.max() == pytest.approx(entry["high"], rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("degree", [2, 4])
def test_custom_operators_hold_the_running_maximum(
    trained: DigitNet, digits: TensorDataset, tmp_path: Path, degree: int
) -> None:
    images, path = digits.tensors[0][:64], tmp_path / "model.onnx"
    model = convert(trained, images, degree=degree, init="hermite").model
    export(model, path, images[:1], activations="nn_tools")
    proto = onnx.load(path)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    nodes = [node for node in proto.graph.node if node.domain == "nn_tools"]
    for node, (_, module) in zip(nodes, polynomials(model), strict=True):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        assert node.op_type == "RangeNormPoly2d"
        assert (attributes["degree"], attributes["activation"], attributes["upper_bound"]) == (degree, b"relu", 3.0)
        assert np.array_equal(constants[node.input[1]], module.running_max.numpy())


def test_what_cannot_be_written_is_refused(trained: DigitNet, digits: TensorDataset, tmp_path: Path) -> None:
    images, path = digits.tensors[0][:64], tmp_path / "model.onnx"
    model = convert(trained, images).model
    with pytest.raises(ExportError, match="no longer the Hermite"):
        export(model, path, images, activations="nn_tools")
    with pytest.raises(ExportError, match="convert it first"):
        export(trained, path, images)
    with pytest.raises(ExportError, match="another network"):
        export(model, path, images, certificate=certify(lone([1.0, 1.0]), [image(0.0, 0.0)]))
    with pytest.raises(ExportError, match="opset 13"):
        export(model, path, images, opset=13)
    assert not path.exists()
