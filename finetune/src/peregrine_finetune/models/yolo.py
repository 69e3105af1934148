"""YOLOv5n (Ultralytics, 2020, version 6): a detector with SiLU, residuals, max pools and nearest upsampling."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

#: Boxes that each place of a map predicts.
ANCHORS = 3


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, SiLU: `[N, inputs, H, W]` to `[N, outputs, H / stride, W / stride]`."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """One block."""
        return cast(Tensor, self.act(self.bn(self.conv(x))))


class Bottleneck(nn.Module):
    """1x1 and 3x3 blocks, with a residual where `shortcut`; the shape stays."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1 = ConvBlock(channels, channels)
        self.cv2 = ConvBlock(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """One bottleneck."""
        y: Tensor = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    """Bottlenecks on half of the channels, the others beside them: `[N, inputs, H, W]` to `[N, outputs, H, W]`."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.cv1 = ConvBlock(inputs, half)
        self.cv2 = ConvBlock(inputs, half)
        self.cv3 = ConvBlock(2 * half, outputs)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """One stage."""
        return cast(Tensor, self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1)))


class Sppf(nn.Module):
    """Pools of 5x5, one after the other, side by side: `[N, channels, H, W]` keeps its shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1 = ConvBlock(channels, channels // 2)
        self.cv2 = ConvBlock(2 * channels, channels)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Windows of 5, 9 and 13 pixels."""
        x = self.cv1(x)
        y = self.m(x)
        z = self.m(y)
        return cast(Tensor, self.cv2(torch.cat([x, y, z, self.m(z)], 1)))


class Yolov5n(nn.Module):
    """`[N, 3, H, W]`, sides divisible by 32, to raw boxes of strides 8, 16, 32: `[N, 3 * (5 + classes), h, w]` each.

    Decoding boxes and suppressing overlaps is the client's, after decryption.
    """

    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvBlock(3, 16, 6, 2, 2), ConvBlock(16, 32, 3, 2), C3(32, 32, 1))
        self.stage3 = nn.Sequential(ConvBlock(32, 64, 3, 2), C3(64, 64, 2))
        self.stage4 = nn.Sequential(ConvBlock(64, 128, 3, 2), C3(128, 128, 3))
        self.stage5 = nn.Sequential(ConvBlock(128, 256, 3, 2), C3(256, 256, 1), Sppf(256))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.reduce5, self.reduce4 = ConvBlock(256, 128), ConvBlock(128, 64)
        self.merge4, self.merge3 = C3(256, 128, 1, False), C3(128, 64, 1, False)
        self.down3, self.down4 = ConvBlock(64, 64, 3, 2), ConvBlock(128, 128, 3, 2)
        self.join4, self.join5 = C3(128, 128, 1, False), C3(256, 256, 1, False)
        self.heads = nn.ModuleList(nn.Conv2d(width, ANCHORS * (5 + classes), 1) for width in (64, 128, 256))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw predictions, from small objects to large ones."""
        p3 = self.stage3(self.stem(x))
        p4 = self.stage4(p3)
        top5 = self.reduce5(self.stage5(p4))
        top4 = self.reduce4(self.merge4(torch.cat([self.up(top5), p4], 1)))
        small = self.merge3(torch.cat([self.up(top4), p3], 1))
        middle = self.join4(torch.cat([self.down3(small), top4], 1))
        large = self.join5(torch.cat([self.down4(middle), top5], 1))
        return self.heads[0](small), self.heads[1](middle), self.heads[2](large)


def yolov5n(classes: int = 80) -> Yolov5n:
    """1.9 million parameters, 57 activations and 3 pools."""
    return Yolov5n(classes)
