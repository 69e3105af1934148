"""A small VGG: pairs of 3x3 convolutions between pools."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SmallVgg(nn.Module):
    """`[N, inputs, H, W]` to `[N, classes]`; H and W are divisible by `2 ** len(widths)`."""

    def __init__(self, inputs: int = 3, classes: int = 10, widths: Sequence[int] = (32, 64, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs
        for width in widths:
            for _ in range(2):
                layers += [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        scores: Tensor = self.linear(torch.flatten(self.pool(self.features(x)), 1))
        return scores
