"""Packs a folder of CIFAR-10 images, `<folder>/{train,test}/<class>/<name>.jpg` or `.png`, into one .npz file.

Its arrays are x_train, y_train, x_test and y_test: bytes in NCHW order, and classes in alphabetical order.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ENDINGS = {".jpg", ".png"}


def main() -> None:
    """Reads the folder and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path, help="the .npz file to write")
    args = parser.parse_args()
    arrays: dict[str, Any] = {}
    for part in ("train", "test"):
        classes = sorted(path for path in (args.folder / part).iterdir() if path.is_dir())
        files = [(file, k) for k, c in enumerate(classes) for file in sorted(c.iterdir()) if file.suffix in ENDINGS]
        pixels = [np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for file, _ in files]
        arrays |= {f"x_{part}": np.stack(pixels), f"y_{part}": np.array([k for _, k in files], np.uint8)}
    np.savez(args.file, **arrays)


if __name__ == "__main__":
    main()
