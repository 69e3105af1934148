#!/usr/bin/env python3
"""Train a small digit classifier that can run on encrypted images, and export it to ONNX.

    python train.py

writes, next to this file:

    digits.onnx   the trained network: image [1, 1, 8, 8] -> logits [1, 10]
    images.npy    the first 50 images of the test split, float32 [50, 1, 8, 8]
    labels.npy    what they show, uint8 [50]
    image.npy     the first of them, float32 [1, 1, 8, 8]

An encrypted computation can only add and multiply, so the network differs from a
textbook one in two points: its activations are quadratic polynomials, and training
keeps every intermediate value small (a polynomial far from zero grows without bound,
and encrypted numbers have a fixed range). There is no max pooling either: the second
convolution has stride 2.
"""

from __future__ import annotations

import argparse
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

# Training. These were chosen by cross-validation on the training split alone.
EPOCHS = 200
BATCH_SIZE = 64
PEAK_LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-2
LABEL_SMOOTHING = 0.1  # also keeps the logits small

# An activation's input beyond this bound is penalised, not clipped: clipping is not a
# polynomial. The bound is lower than the range wanted in the end, to leave a margin.
PRE_ACTIVATION_BOUND = 2.5
RANGE_PENALTY = 1.0

# Data.
TEST_FRACTION = 0.25
SPLIT_SEED = 0  # the test split stays the same whatever --seed is
SAVED_IMAGES = 50


class Quadratic(nn.Module):
    """y = a x^2 + b x + c, with its own a, b and c for each channel, all trained.

    The start is the quadratic nearest to ReLU for normally distributed x, which is
    what a batch normalisation in front of it delivers.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        shape = (1, channels, 1, 1)
        self.a = nn.Parameter(torch.full(shape, 1 / math.sqrt(8 * math.pi)))
        self.b = nn.Parameter(torch.full(shape, 0.5))
        self.c = nn.Parameter(torch.full(shape, 1 / math.sqrt(8 * math.pi)))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * (x * x) + self.b * x + self.c


class DigitNet(nn.Module):
    """Two convolutions and one linear layer: 1x8x8 -> 4x8x8 -> 8x4x4 -> 10."""

    def __init__(self) -> None:
        super().__init__()
        # No biases before a batch normalisation: it would subtract them again.
        self.conv1 = nn.Conv2d(1, 4, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(4)
        self.act1 = Quadratic(4)
        self.conv2 = nn.Conv2d(4, 8, kernel_size=3, stride=2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.act2 = Quadratic(8)
        self.linear = nn.Linear(8 * 4 * 4, 10)

    def forward(self, image: Tensor) -> Tensor:
        return self.stages(image)[-1]

    def stages(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The values whose range matters: the input of either activation, the logits."""
        before1 = self.norm1(self.conv1(image))
        before2 = self.norm2(self.conv2(self.act1(before1)))
        logits = self.linear(torch.flatten(self.act2(before2), 1))
        return before1, before2, logits


@dataclass(frozen=True)
class Split:
    """Images [n, 1, 8, 8] with values from 0 to 1, and the digits they show [n]."""

    images: Tensor
    labels: Tensor


def load_data() -> tuple[Split, Split]:
    """The training and the test split."""
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    parts = train_test_split(
        images, digits, test_size=TEST_FRACTION, stratify=digits, random_state=SPLIT_SEED
    )
    train_x, test_x, train_y, test_y = (torch.from_numpy(part) for part in parts)
    return Split(train_x, train_y), Split(test_x, test_y)


def excess(values: Tensor, bound: float) -> Tensor:
    """How far the values leave [-bound, bound], squared, summed for each image, averaged."""
    return F.relu(values.abs() - bound).square().sum() / len(values)


def train(data: Split, seed: int) -> DigitNet:
    torch.manual_seed(seed)
    model = DigitNet()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=WEIGHT_DECAY
    )
    steps = math.ceil(len(data.labels) / BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=PEAK_LEARNING_RATE, total_steps=EPOCHS * steps
    )
    model.train()
    for epoch in range(1, EPOCHS + 1):
        total = 0.0
        for batch in torch.randperm(len(data.labels)).split(BATCH_SIZE):
            before1, before2, logits = model.stages(data.images[batch])
            loss = F.cross_entropy(logits, data.labels[batch], label_smoothing=LABEL_SMOOTHING)
            loss = loss + RANGE_PENALTY * (
                excess(before1, PRE_ACTIVATION_BOUND) + excess(before2, PRE_ACTIVATION_BOUND)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        if epoch % 50 == 0:
            print(f"epoch {epoch:3}: mean loss {total / len(data.labels):.4f}")
    return model.eval()


def export(model: DigitNet, path: Path) -> None:
    """Write the model as ONNX, for a single image."""
    # dynamo=False picks PyTorch's older exporter: it writes opset 17 and needs no further
    # package. It also announces that it is the older one, which we know.
    warnings.filterwarnings("ignore", "You are using the legacy", DeprecationWarning)
    torch.onnx.export(
        model,
        (torch.zeros(1, 1, 8, 8),),
        str(path),
        input_names=["image"],
        output_names=["logits"],
        opset_version=17,
        dynamo=False,
        # Keep the batch normalisations as nodes of their own; by default they are
        # merged into the convolutions. (Peregrine takes both and merges by itself.)
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)


def run_onnx(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The exported model's logits for each image, by ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate(
        [session.run(["logits"], {"image": images[i : i + 1]})[0] for i in range(len(images))]
    )


def accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> str:
    hits = int((logits.argmax(axis=1) == labels).sum())
    return f"{100 * hits / len(labels):.2f} % ({hits} of {len(labels)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the training run (default 0)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="folder to write to (default: this script's own)",
    )
    args = parser.parse_args()

    # One thread, and no kernels that may add numbers in a varying order: a second
    # run on the same machine gives the same file, byte for byte.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    train_data, test_data = load_data()
    model = train(train_data, args.seed)

    args.out.mkdir(parents=True, exist_ok=True)
    onnx_path = args.out / "digits.onnx"
    export(model, onnx_path)

    images, labels = test_data.images.numpy(), test_data.labels.numpy()
    np.save(args.out / "images.npy", images[:SAVED_IMAGES])
    np.save(args.out / "labels.npy", labels[:SAVED_IMAGES].astype(np.uint8))
    np.save(args.out / "image.npy", images[:1])

    with torch.no_grad():
        expected = model(test_data.images).numpy()
        ranges = model.stages(torch.cat([train_data.images, test_data.images]))
    actual = run_onnx(onnx_path, images)
    difference = float(np.abs(actual - expected).max())

    print(f"test accuracy, PyTorch:      {accuracy(expected, labels)}")
    print(f"test accuracy, ONNX Runtime: {accuracy(actual, labels)}")
    print(f"largest difference of a logit between the two: {difference:.1e}")
    print("largest absolute values over the whole data set:")
    names = ("before activation 1", "before activation 2", "logits")
    for name, values in zip(names, ranges, strict=True):
        print(f"    {name:20} {values.abs().max().item():.2f}")
    if difference > 1e-4:
        raise SystemExit("the exported model does not compute what the trained one does")


if __name__ == "__main__":
    main()
