"""ResNets for images of 32x32, by He et al. (Deep Residual Learning for Image Recognition, 2015, section 4.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PaddedShortcut(nn.Module):
    """Every second pixel, and zeros for the channels that are new: He et al.'s shortcut A.

    It is a 1x1 convolution with fixed weights of 0 and 1, `[N, C, H, W]` to `[N, C', H/2, W/2]`, and has no state.
    """

    selection: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        first = (outputs - inputs) // 2
        selection = torch.zeros(outputs, inputs, 1, 1)
        selection[first : first + inputs, :, 0, 0] = torch.eye(inputs)
        self.register_buffer("selection", selection, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Subsamples and pads."""
        return F.conv2d(x, self.selection, stride=2)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a residual."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.act2 = nn.ReLU()
        self.shortcut = nn.Identity() if stride == 1 else PaddedShortcut(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, inputs, H, W]` to `[N, outputs, H / stride, W / stride]`."""
        y: Tensor = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        out: Tensor = self.act2(y + self.shortcut(x))
        return out


class CifarResNet(nn.Module):
    """`6 * blocks + 2` layers, `[N, 3, 32, 32]` to `[N, classes]`; state dicts of akamaster's networks fit."""

    def __init__(self, blocks: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.act1 = nn.ReLU()
        self.layer1 = _stage(blocks, 16, 16)
        self.layer2 = _stage(blocks, 16, 32)
        self.layer3 = _stage(blocks, 32, 64)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        scores: Tensor = self.linear(torch.flatten(self.pool(x), 1))
        return scores


def _stage(blocks: int, inputs: int, outputs: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, 1 if inputs == outputs else 2)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


def resnet20(classes: int = 10) -> CifarResNet:
    """19 activations."""
    return CifarResNet(3, classes)


def resnet32(classes: int = 10) -> CifarResNet:
    """31 activations."""
    return CifarResNet(5, classes)


def resnet44(classes: int = 10) -> CifarResNet:
    """43 activations."""
    return CifarResNet(7, classes)
