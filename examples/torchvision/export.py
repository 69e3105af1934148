"""Networks of torchvision and others with quadratics in place of their activations, as ONNX files that peregrine compiles."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from networks import UNet, conv_mixer
from torch import Tensor, fx, nn
from torch.nn import functional

NETWORKS = [
    "resnet18", "squeezenet1_1", "mobilenet_v2", "mnasnet0_5", "shufflenet_v2_x0_5", "densenet121", "googlenet",
]  # fmt: skip
OTHERS: dict[str, Callable[[], nn.Module]] = {
    "conv_mixer": conv_mixer,
    "conv_mixer_small": lambda: conv_mixer(width=128, depth=3, patch=7, classes=100),
    "unet": UNet,
}
ACTIVATIONS: dict[object, Callable[[Tensor], Tensor]] = {
    nn.ReLU: functional.relu, nn.ReLU6: functional.relu6, nn.Hardswish: functional.hardswish, nn.SiLU: functional.silu,
    nn.GELU: functional.gelu, nn.Sigmoid: torch.sigmoid, functional.relu: functional.relu,
    functional.relu6: functional.relu6, torch.relu: functional.relu,
}  # fmt: skip


class Quadratic(nn.Module):
    """`a x^2 + b x + c` for all channels alike; the first batch that it sees decides the coefficients, by least squares."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.activation = activation
        self.fitted = False
        self.coefficients = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        if not self.fitted:
            flat = x.detach().flatten().double()
            powers = torch.stack([flat**2, flat, torch.ones_like(flat)], dim=1)
            wanted = self.activation(flat)
            solved = torch.linalg.lstsq(powers.T @ powers, powers.T @ wanted).solution
            self.coefficients.data = solved.to(x.dtype)
            self.fitted = True
        a, b, c = self.coefficients
        return (a * x + b) * x + c


def replaced(network: nn.Module) -> fx.GraphModule:
    """The same network with a quadratic at every place where there is an activation, and average pooling for the largest."""
    traced = fx.symbolic_trace(network)
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        kind = type(module) if module is not None else node.target
        if kind in ACTIVATIONS:
            new: nn.Module = Quadratic(ACTIVATIONS[kind])
        elif isinstance(module, nn.MaxPool2d):
            padding, ceil = module.padding, module.ceil_mode
            new = nn.AvgPool2d(module.kernel_size, module.stride, padding, ceil, count_include_pad=False)
        else:
            continue
        name = f"replaced_{node.name}"
        traced.add_submodule(name, new)
        with traced.graph.inserting_after(node):
            node.replace_all_uses_with(traced.graph.call_module(name, (node.args[0],)))
            # Its own argument is the one use that was meant to stay.
        traced.graph.erase_node(node)
    traced.recompile()
    return traced


def images(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Smooth patches with a little noise, mean 0 and standard deviation 1: what normalised photographs look like from afar."""
    coarse = torch.randn(count, 3, 5, 5, generator=generator)
    smooth = functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    noisy = smooth + 0.2 * torch.randn(count, 3, size, size, generator=generator)
    return (noisy - noisy.mean()) / noisy.std()


def network(name: str, size: int, seed: int) -> tuple[nn.Module, Tensor]:
    """A network with weights drawn from a seed, normalised by what images make of it, and images that it has not seen."""
    torch.manual_seed(seed)
    arguments = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
    model = OTHERS[name]() if name in OTHERS else torchvision.models.get_model(name, weights=None, **arguments)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean over all batches
    with torch.no_grad():
        for _ in range(4):
            model(images(16, size, generator))
        model.eval()
        quadratic = replaced(model)
        quadratic.eval()
        quadratic(images(32, size, generator))
    return quadratic, images(8, size, generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = f"of {', '.join([*NETWORKS, *OTHERS])} [default: the first seven]"
    parser.add_argument("names", nargs="*", default=NETWORKS, metavar="NETWORK", help=names)
    parser.add_argument("--size", type=int, default=64, help="height and width of images [default: 64]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        model, samples = network(name, args.size, args.seed)
        path = args.out / f"{name}.onnx"
        torch.onnx.export(
            model, (samples[:1],), path, input_names=["image"], output_names=["logits"], external_data=False, verbose=False
        )
        np.save(args.out / f"{name}_images.npy", samples.numpy())
        with torch.no_grad():
            logits = model(samples)
        np.save(args.out / f"{name}_logits.npy", logits.numpy())
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, largest logit {logits.abs().max():.3g}")


if __name__ == "__main__":
    main()
