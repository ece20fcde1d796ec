"""How well and how fast the audit finds near duplicates.

    python benchmarks/audit.py             time and memory on made-up images
    python benchmarks/audit.py REAL ...    accused pairs of real images, changed copies that are found

REAL is a folder of JPEG images of one size, at any depth, or an archive whose arrays named ``x…`` are taken.
"""

import io
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from archsearch.data.dataset import Samples
from archsearch.data.near_duplicates import hashes, least_correlation, near_clusters, spectra

COPIES = 300

MADE_UP = ((4_660, 96, 1), (20_000, 96, 1), (60_000, 28, 1), (60_000, 32, 3))


def main(paths: list[str]) -> None:
    if not paths:
        for count, side, channels in MADE_UP:
            timed(textures(count, side, channels))
        print("all alike:")
        timed(np.repeat(textures(1, 32, 1), 20_000, axis=0))
    for path in paths:
        print(f"\n{path}")
        images = read(Path(path))
        timed(images)
        alike(images)
        recall(images)


def textures(count: int, side: int, channels: int) -> np.ndarray:
    """Images whose amplitudes fall with frequency as those of photographs do."""
    random = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side))
    frequency[0, 0] = 1
    made = np.empty((count, side, side, channels), np.uint8)
    for image in made:
        noise = np.fft.rfft2(random.normal(size=(channels, side, side))) / frequency
        pixels = np.fft.irfft2(noise, s=(side, side))
        image[:] = np.moveaxis((pixels - pixels.min()) / np.ptp(pixels) * 255, 0, -1)
    return made


def read(path: Path) -> np.ndarray:
    """Images, shape (count, height, width, 1)."""
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return np.concatenate([archive[key] for key in archive if key.startswith("x")])[..., np.newaxis]
    files = sorted(path.rglob("*.jp*g"))
    return np.stack([np.asarray(Image.open(file).convert("L")) for file in files])[..., np.newaxis]


def timed(images: np.ndarray) -> None:
    x, everything = Samples(images, 1 / 255), np.arange(len(images))
    started = time.perf_counter()
    clusters = near_clusters(x, everything, images.shape[1:])
    seconds = time.perf_counter() - started
    pairs = len(images) * (len(images) - 1) // 2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(images):6d} images of {'×'.join(map(str, images.shape[1:]))}: {seconds:6.1f} s, "
        f"{len(clusters)} sets of {sum(map(len, clusters))} images accused among {pairs:,} pairs, "
        f"peak {peak:.0f} MiB with {images.nbytes / 2**20:.0f} MiB of images"
    )


def alike(images: np.ndarray) -> None:
    """How alike the most alike pairs are, whatever their hashes."""
    described = spectra(Samples(images, 1 / 255), np.arange(len(images)))
    mirror = np.tile((-1.0) ** np.arange(16), 16).astype(np.float32)
    top = np.zeros(0, np.float32)
    for start in range(0, len(images), 1000):
        for rows in (described[start : start + 1000], described[start : start + 1000] * mirror):
            found = (rows @ described.T)[
                np.arange(start, start + len(rows))[:, np.newaxis] < np.arange(len(images))
            ]
            top = np.sort(np.concatenate([top, found[found > 0.8]]))[-5000:]
    ranks = [rank for rank in (1, 2, 10, 100, 1000) if rank <= len(top)]
    print("  most alike:", ", ".join(f"{rank}. {top[-rank]:.3f}" for rank in ranks))


def recall(images: np.ndarray) -> None:
    """Of each kind of copy how many are found, and how far they are from what they were copied from."""
    chosen = np.random.default_rng(0).choice(len(images), min(COPIES, len(images)), replace=False)
    least = least_correlation(images.shape[1:])
    for name, copy in KINDS.items():
        copies = np.stack(
            [np.asarray(copy(Image.fromarray(images[i, ..., 0])))[..., np.newaxis] for i in chosen]
        )
        x = Samples(np.concatenate([images[chosen], copies]), 1 / 255)
        first, second = np.arange(len(chosen)), np.arange(len(chosen), 2 * len(chosen))
        clusters = {
            tuple(cluster.tolist()) for cluster in near_clusters(x, np.arange(len(x)), images.shape[1:])
        }
        found = sum((a, b) in clusters for a, b in zip(first.tolist(), second.tolist(), strict=True))
        unmirrored = copies[:, :, ::-1] if "mirrored" in name else copies
        pair = [spectra(Samples(side, 1 / 255), first) for side in (images[chosen], unmirrored)]
        bits = np.bitwise_count(hashes(pair[0]) ^ hashes(pair[1]))
        correlation = (pair[0] * pair[1]).sum(axis=1)
        print(
            f"  {name:28} {found} of {len(chosen)} found; at most {bits.max()} bits, correlation at least "
            f"{correlation.min():.3f}, 1 % below {np.quantile(correlation, 0.01):.3f} (asked: {least})"
        )


def encoded(quality: int) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return change


def scaled(share: float, method: Image.Resampling) -> Callable[[Image.Image], Image.Image]:
    def change(image: Image.Image) -> Image.Image:
        return image.resize([round(share * side) for side in image.size], method).resize(image.size, method)

    return change


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 85": encoded(85),
    "JPEG of quality 60": encoded(60),
    "JPEG of quality 40": encoded(40),
    "80 % of the size": scaled(0.8, Image.Resampling.BILINEAR),
    "50 % of the size": scaled(0.5, Image.Resampling.BILINEAR),
    "80 %, nearest neighbour": scaled(0.8, Image.Resampling.NEAREST),
    "80 %, then quality 60": lambda image: encoded(60)(scaled(0.8, Image.Resampling.BILINEAR)(image)),
    "mirrored": ImageOps.mirror,
    "mirrored, then quality 60": lambda image: encoded(60)(ImageOps.mirror(image)),
}

if __name__ == "__main__":
    main(sys.argv[1:])
