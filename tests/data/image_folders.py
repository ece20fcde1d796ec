"""Folders of real image files, made by Pillow; real data where this machine has them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL = Path(__file__).parents[3] / "shared" / "data"


def real(name: str) -> Path:
    """A folder of real data; the test is skipped where it is absent."""
    if not (REAL / name).exists():
        pytest.skip(f"no {name} on this machine")
    return REAL / name


def write_image(path: Path, seed: int, size=(12, 10), mode: str = "L", **options) -> Path:
    """An image of noise, `size` = (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    shape = (size[1], size[0]) if mode in ("L", "P") else (size[1], size[0], len(mode))
    image = Image.fromarray(rng.integers(0, 256, shape, np.uint8), None if mode != "P" else "L")
    (image if mode != "P" else image.convert("P")).save(path, **options)
    return path


def class_folders(root: Path, classes=("cat", "dog"), count=10, ending="png", **options) -> Path:
    """A folder of class folders of images ``0.png``, ``1.png`` …"""
    for label, name in enumerate(classes):
        for number in range(count):
            write_image(root / name / f"{number}.{ending}", 1000 * label + number, **options)
    return root


def split_folders(root: Path, counts, classes=("cat", "dog"), **options) -> Path:
    """A folder of splits, such as ``{"train": 8, "val": 4}``, of class folders."""
    for place, (part, count) in enumerate(counts.items()):
        for label, name in enumerate(classes):
            for number in range(count):
                seed = 10_000 * place + 1_000 * label + number
                write_image(root / part / name / f"{part}{number}.png", seed, **options)
    return root
