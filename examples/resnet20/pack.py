"""Packs CIFAR-10 into one .npz file: from its own `cifar-10-batches-py`, or from a folder of image files.

Image files are `<folder>/{train,test}/<class>/<name>.jpg` or `.png`. The arrays are x_train, y_train, x_test and
y_test: bytes in NCHW order, and classes in alphabetical order.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ENDINGS = {".jpg", ".png"}
BATCHES = [f"data_batch_{k}" for k in range(1, 6)]
#: Images of a batch.
WHOLE = 10_000


def main() -> None:
    """Reads the folder and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path, help="the .npz file to write")
    parser.add_argument(
        "--train", type=int, nargs=5, default=[WHOLE] * 5, help="take so many images from the start of each batch"
    )
    parser.add_argument("--test", type=int, default=WHOLE, help="the same of the test batch")
    args = parser.parse_args()
    if (args.folder / "test_batch").exists():
        parts = {
            "train": batches(args.folder, dict(zip(BATCHES, args.train, strict=True))),
            "test": batches(args.folder, {"test_batch": args.test}),
        }
    else:
        parts = {part: images(args.folder / part) for part in ("train", "test")}
    arrays: dict[str, Any] = {}
    for part, (pixels, classes) in parts.items():
        arrays |= {f"x_{part}": pixels, f"y_{part}": classes}
    np.savez(args.file, **arrays)


def batches(folder: Path, counts: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """The first images of pickled batches, which are trusted to be CIFAR-10's."""
    pixels, classes = [], []
    for name, count in counts.items():
        with (folder / name).open("rb") as file:
            batch = pickle.load(file, encoding="bytes")
        pixels.append(batch[b"data"][:count].reshape(-1, 3, 32, 32))
        classes.append(np.array(batch[b"labels"][:count], np.uint8))
    return np.concatenate(pixels), np.concatenate(classes)


def images(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """All images below a folder, class by class."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [(file, k) for k, c in enumerate(classes) for file in sorted(c.iterdir()) if file.suffix in ENDINGS]
    pixels = [np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file, _ in files]
    return np.stack(pixels), np.array([k for _, k in files], np.uint8)


if __name__ == "__main__":
    main()
