"""MobileNetV2 (Sandler et al., 2018), as torchvision defines it."""

from __future__ import annotations

from typing import cast

from torch import nn


def mobilenet_v2(classes: int = 1000, width: float = 1.0) -> nn.Module:
    """`[N, 3, H, W]` to `[N, classes]`, without pretrained weights. Raises `ImportError` without torchvision."""
    from torchvision.models import mobilenet_v2 as build

    return cast(nn.Module, build(num_classes=classes, width_mult=width))
