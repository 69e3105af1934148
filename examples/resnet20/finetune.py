"""Fine-tunes a pretrained CIFAR-10 ResNet-20 to polynomials, certifies its ranges and exports it. See README.md."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from cifar import Images, batches, loader, normalised, read
from torch import Tensor, nn

from peregrine_finetune import (
    EpochSummary,
    FinetuneConfig,
    calibrate,
    certify,
    convert,
    distillation_loss,
    export,
    finetune,
)
from peregrine_finetune.models import resnet20

#: Images that the polynomials are fitted to.
SAMPLES = 512
#: Images of the first file that training does not see.
HELD_OUT = 500
#: What the certified range is, relative to the largest value over all training images.
MARGIN = 2.0


@dataclass(frozen=True)
class Recipe:
    """How a degree is trained. See `FinetuneConfig`."""

    epochs: int
    learning_rate: float
    replay: float


RECIPES = {2: Recipe(epochs=12, learning_rate=2e-3, replay=0.0), 4: Recipe(epochs=10, learning_rate=1e-3, replay=0.125)}


@dataclass(frozen=True)
class Result:
    """What a run reached; accuracies are shares, by file."""

    degree: int
    seed: int
    cpu_minutes: float
    held_out_agreement: float
    held_out_divergence: float
    teacher: dict[str, float]
    accuracy: dict[str, float]
    agreement: dict[str, float]
    training_images_not_finite: int
    certified_images: int
    images_outside: int
    largest_ratio: float


def main() -> None:
    """A run from start to end."""
    args = arguments()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    name = args.out / f"resnet20_d{args.degree}_s{args.seed}"
    training = [read(file, "train") for file in args.data]
    held_out = training[0].pixels[-HELD_OUT:]
    training[0] = Images(training[0].pixels[:-HELD_OUT], training[0].labels[:-HELD_OUT])
    teacher = pretrained(args.weights)
    samples = normalised(training[0].pixels[:SAMPLES])
    model, report = convert(teacher, samples, degree=args.degree)
    print(report)
    model = model.to(memory_format=torch.channels_last)
    shares = [args.share, 1 - args.share] if len(training) == 2 else [1 / len(training)] * len(training)
    recipe = RECIPES[args.degree]
    config = FinetuneConfig(
        epochs=args.epochs or recipe.epochs, learning_rate=args.learning_rate or recipe.learning_rate,
        hard_weight=args.hard_weight, replay=recipe.replay, precision="bfloat16", compiled=True, seed=args.seed,
    )  # fmt: skip
    per_epoch = sum(len(part.labels) for part in training)
    minutes = Minutes(name)
    drawn = loader(training, shares, per_epoch)
    finetune(model, teacher, drawn, config, checkpoint=name.with_suffix(".pt"), on_epoch=minutes.note)
    left_out = calibrate(model, (x for part in training for x in batches(part.pixels)), margin=MARGIN)
    tests = {file.stem: read(file, "test") for file in args.data}
    certificate = certify(model, (x for part in tests.values() for x in batches(part.pixels)))
    print(certificate)
    scores = {file: (evaluate(teacher, t.pixels), evaluate(model, t.pixels)) for file, t in tests.items()}
    held = evaluate(teacher, held_out), evaluate(model, held_out)
    result = Result(
        degree=args.degree, seed=args.seed, cpu_minutes=minutes.spent,
        held_out_agreement=share(held[0].argmax(1) == held[1].argmax(1)),
        held_out_divergence=float(distillation_loss(held[1], held[0], temperature=1.0)),
        teacher={file: share(s[0].argmax(1) == tests[file].labels) for file, s in scores.items()},
        accuracy={file: share(s[1].argmax(1) == tests[file].labels) for file, s in scores.items()},
        agreement={file: share(s[0].argmax(1) == s[1].argmax(1)) for file, s in scores.items()},
        training_images_not_finite=left_out, certified_images=certificate.images,
        images_outside=certificate.images_outside,
        largest_ratio=max(a.ratio for a in certificate.activations),
    )  # fmt: skip
    print(json.dumps(asdict(result), indent=2))
    name.with_suffix(".json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    export(model, name.with_suffix(".onnx"), samples[:1], certificate=certificate)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="resnet20-12fca82f.th")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help=".npz: x_train, y_train, x_test, y_test")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, ONNX file and result")
    parser.add_argument("--degree", type=int, choices=(2, 4), default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the degree's own number")
    parser.add_argument("--learning-rate", type=float, help="instead of the degree's own")
    parser.add_argument("--hard-weight", type=float, default=0.2)
    parser.add_argument("--share", type=float, default=0.5, help="share of the first of two files in a batch")
    return parser.parse_args()


def pretrained(file: Path) -> nn.Module:
    """The network whose weights akamaster/pytorch_resnet_cifar10 publishes."""
    state = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
    model = resnet20()
    model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    return model.eval().to(memory_format=torch.channels_last)


@torch.inference_mode()
def evaluate(model: nn.Module, pixels: Tensor) -> Tensor:
    """Class scores in eval mode, `[N, 10]`."""
    return torch.cat([model(x) for x in batches(pixels)])


def share(hits: Tensor) -> float:
    """How many are true, from 0 to 1."""
    return float(hits.float().mean())


class Minutes:
    """CPU minutes that training took, with those before it was interrupted and resumed."""

    def __init__(self, name: Path) -> None:
        self.file = name.with_suffix(".minutes")
        resumed = name.with_suffix(".pt").exists() and self.file.exists()
        self.spent = self.before = float(self.file.read_text()) if resumed else 0.0

    def note(self, epoch: EpochSummary) -> None:
        """Adds up what this process and the compilers that it started took, and shows the epoch."""
        times = os.times()
        here = times.user + times.system + times.children_user + times.children_system
        self.spent = self.before + here / 60
        self.file.write_text(f"{self.spent}\n")
        print(f"{epoch}, {self.spent:.1f} CPU minutes", flush=True)


if __name__ == "__main__":
    main()
