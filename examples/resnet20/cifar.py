"""CIFAR-10 in memory: reading, normalising, augmenting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, WeightedRandomSampler

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
#: Images of a batch in evaluation.
BATCH = 250


class Images(NamedTuple):
    """`pixels` are `[N, 3, 32, 32]` in bytes, `labels` are `[N]`."""

    pixels: Tensor
    labels: Tensor


def read(file: Path, part: str) -> Images:
    """`x_<part>` (bytes, NCHW) and `y_<part>` of an .npz file."""
    with np.load(file) as arrays:
        return Images(torch.from_numpy(arrays[f"x_{part}"]), torch.from_numpy(arrays[f"y_{part}"].astype(np.int64)))


def normalised(pixels: Tensor) -> Tensor:
    """What the network is fed."""
    return ((pixels.float() / 255 - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def batches(pixels: Tensor) -> Iterator[Tensor]:
    """All images in order, normalised."""
    return (normalised(part) for part in torch.split(pixels, BATCH))


class Augmented(Dataset[tuple[Tensor, Tensor]]):
    """Whole batches: images shifted by up to 4 pixels and mirrored at random, from PyTorch's generator."""

    def __init__(self, images: Images) -> None:
        self.padded = torch.nn.functional.pad(images.pixels, (4, 4, 4, 4))
        self.labels = images.labels

    def __getitem__(self, indices: list[int]) -> tuple[Tensor, Tensor]:
        """The images at `indices`, each augmented anew, and their labels."""
        shifts = torch.randint(0, 9, (len(indices), 2)).tolist()
        crops = [self.padded[i, :, y : y + 32, x : x + 32] for i, (y, x) in zip(indices, shifts, strict=True)]
        pixels = torch.stack(crops)
        mirrored = (torch.rand(len(indices)) < 0.5).view(-1, 1, 1, 1)
        return normalised(torch.where(mirrored, pixels.flip(3), pixels)), self.labels[indices]


def loader(parts: list[Images], shares: list[float], images_per_epoch: int, batch: int = 128) -> DataLoader[object]:
    """Draws from each part with its share, and augments."""
    together = Images(torch.cat([p.pixels for p in parts]), torch.cat([p.labels for p in parts]))
    weights = torch.cat([torch.full((len(p.labels),), s / len(p.labels)) for p, s in zip(parts, shares, strict=True)])
    drawn = WeightedRandomSampler(weights.tolist(), images_per_epoch)
    sampler = BatchSampler(drawn, batch, drop_last=True)
    return DataLoader(Augmented(together), sampler=sampler, batch_size=None)
