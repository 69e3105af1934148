"""Networks of the field that torchvision does not have: ConvMixer and U-Net."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """The sum of its input and of what layers make of it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        sum_: Tensor = x + self.layers(x)
        return sum_


def conv_mixer(width: int = 256, depth: int = 8, kernel: int = 9, patch: int = 14, classes: int = 1000) -> nn.Module:
    """A ConvMixer (arXiv 2201.09792): patches, then depthwise and pointwise convolutions on one grid, then a mean."""

    def mix(*layers: nn.Module) -> nn.Module:
        return nn.Sequential(*layers, nn.GELU(), nn.BatchNorm2d(width))

    def block() -> nn.Module:
        depthwise = nn.Conv2d(width, width, kernel, groups=width, padding="same")
        return nn.Sequential(Residual(mix(depthwise)), mix(nn.Conv2d(width, width, 1)))

    stem = mix(nn.Conv2d(3, width, patch, stride=patch))
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
    return nn.Sequential(stem, *(block() for _ in range(depth)), *head)


class UNet(nn.Module):
    """A U-Net (arXiv 1505.04597) with padding and nearest neighbours upwards: one mask of the size of the image."""

    def __init__(self, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        widths = [width << level for level in range(depth + 1)]

        def layer(channels: int, out: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU())

        def two(channels: int, out: int) -> nn.Module:
            return nn.Sequential(layer(channels, out), layer(out, out))

        def up(channels: int, out: int) -> nn.Module:
            return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(channels, out, 3, padding=1))

        self.down = nn.ModuleList(two(i, o) for i, o in zip([3, *widths[:-1]], widths, strict=True))
        self.up = nn.ModuleList(up(2 * w, w) for w in reversed(widths[:-1]))
        self.join = nn.ModuleList(two(2 * w, w) for w in reversed(widths[:-1]))
        self.pool = nn.AvgPool2d(2)
        self.mask = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, down in enumerate(self.down):
            x = down(x if level == 0 else self.pool(x))
            skips.append(x)
        skips.pop()
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat([skips.pop(), up(x)], dim=1))
        mask: Tensor = self.mask(x)
        return mask
