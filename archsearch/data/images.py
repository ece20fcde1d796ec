"""Images of a folder as one array."""

import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps

from archsearch.data.cache import Cached, Decoded, cached
from archsearch.data.dataset import Samples
from archsearch.data.folders import (
    FORMATS,
    GREY_MODES,
    ImageFile,
    ImageFolder,
    describe_damage,
    groups_of,
    image_shape,
    list_folder,
)
from archsearch.data.loaded import Loaded, needs_streaming
from archsearch.errors import DataError
from archsearch.space.data_words import PARTS, Data, Part

# Small images are decoded faster than threads are told about them one by one.
TASK = 32

# A JPEG may be decoded at a half, a quarter or an eighth of its size, as long as resizing still halves it.
DECODED_SIZE = 2


def load_folder(data: Data, folder: Path) -> Loaded:
    """Decode the images of `data`, or take them from the cache.

    Raises
    ------
    DataError
        If the folder is not laid out as splits and classes, or an entire class of it is unreadable.
    """
    listed = list_folder(data, folder)
    shape = image_shape(data, listed)
    found = cached(_key(listed, shape), shape, partial(_decode_all, listed, shape))
    why = dict(found.decoding.unreadable)
    firsts = np.arange(found.decoding.images)
    for number, first in found.decoding.copies:
        firsts[number] = first
    kept = [number for number in range(len(listed.files)) if number not in why]
    files = [listed.files[number] for number in kept]
    groups, group_notes = _groups(data, listed, kept)
    return Loaded(
        samples=Samples(found.pixels, 1 / 255, needs_streaming(found.pixels.shape)),
        labels=np.array([file.label for file in files], np.int64),
        classes=listed.classes,
        names=[_printable(file.path) for file in files],
        given=_given(files),
        groups=groups,
        unreadable=tuple(f"{_printable(listed.files[number].path)}: {text}" for number, text in why.items()),
        notes=(*_notes(found, shape, listed), *group_notes),
        digest=found.decoding.digest,
        firsts=firsts,
    )


def _key(listed: ImageFolder, shape: tuple[int, int, int]) -> list[object]:
    files = []
    for file in listed.files:
        try:
            facts = (listed.root / file.path).stat()
        except OSError as error:
            raise DataError(f"data: image_folder: {file.path}: {error.strerror}") from None
        files.append([file.path, facts.st_size, facts.st_mtime_ns])
    return [PIL.__version__, str(listed.root.resolve()), shape, files]


def _decode_all(listed: ImageFolder, shape: tuple[int, int, int]) -> Iterator[Decoded]:
    paths = [listed.root / file.path for file in listed.files]
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Pillow warns about large images and odd headers; what it can't read is named instead.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")
        tasks = [paths[start : start + TASK] for start in range(0, len(paths), TASK)]
        # A few tasks at a time: decoded images wait in memory until they are written.
        for start in range(0, len(tasks), 4 * threads):
            for images in pool.map(partial(_decode_some, shape), tasks[start : start + 4 * threads]):
                yield from images


def _decode_some(shape: tuple[int, int, int], paths: Iterable[Path]) -> list[Decoded]:
    return [decode(path, shape) for path in paths]


def decode(path: Path, shape: tuple[int, int, int]) -> Decoded:
    """Read an image as `shape` = (height, width, channels), channels 1 (grey) or 3 (RGB).

    The first frame, turned as its EXIF orientation says, without its transparency, resized by bilinear
    interpolation with antialiasing.
    """
    size, color = (shape[1], shape[0]), "L" if shape[2] == 1 else "RGB"
    try:
        with Image.open(path, formats=FORMATS) as image:
            is_recolored = (image.mode in GREY_MODES) != (color == "L") or image.mode not in (color, "P")
            first = image.size
            image.draft(color, (size[0] * DECODED_SIZE, size[1] * DECODED_SIZE))
            upright = ImageOps.exif_transpose(_in_color(image, color))
            was = first[::-1] if upright.size == image.size[::-1] != image.size else first
            resized = upright if upright.size == size else upright.resize(size, Image.Resampling.BILINEAR)
            pixels = np.asarray(resized, np.uint8).reshape(shape)
    except Exception as error:  # Pillow raises nearly anything for damaged files
        # An error of the system (no permission, too many open files) may be gone the next time.
        is_passing = isinstance(error, OSError) and error.errno is not None
        return Decoded(None, describe_damage(error), is_passing=is_passing)
    return Decoded(pixels, is_resized=was != size, is_recolored=is_recolored)


def _in_color(image: Image.Image, color: str) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits; Pillow would clip them at 255
        image.load()
        deep = np.asarray(image).astype(np.int64) >> 8
        converted = Image.fromarray(deep.clip(0, 255).astype(np.uint8))
        converted.info.update(image.info)
        return converted.convert(color)
    image.load()
    return image if image.mode == color else image.convert(color)


def _given(files: list[ImageFile]) -> dict[Part, NDArray[np.int64]]:
    return {
        part: np.array([number for number, file in enumerate(files) if file.part == part], np.int64)
        for part in PARTS
        if any(file.part == part for file in files)
    }


def _groups(
    data: Data, listed: ImageFolder, kept: list[int]
) -> tuple[NDArray[np.str_] | None, tuple[str, ...]]:
    if data.groups is None:
        return None, ()
    groups = groups_of(data, listed)
    ungrouped = groups.count("")
    note = f"{ungrouped} of {len(groups)} images have no group by their name: each is a group of its own"
    return np.array([groups[number] for number in kept], np.str_), (note,) if ungrouped else ()


def _notes(found: Cached, shape: tuple[int, int, int], listed: ImageFolder) -> Iterator[str]:
    met = found.decoding
    if met.resized:
        yield (
            f"{met.resized} of {met.images} images were resized to {shape[0]}×{shape[1]} (height × width), "
            "bilinear with antialiasing"
        )
    if met.recolored:
        color = "grayscale" if shape[2] == 1 else "rgb"
        yield f"{met.recolored} of {met.images} images of other color modes were converted to {color}"
    if listed.ignored:
        some = ", ".join(map(_printable, listed.ignored[:3])) + (", …" if len(listed.ignored) > 3 else "")
        yield f"{len(listed.ignored)} files that are no images of a class were ignored ({some})"
    if found.trouble:
        yield f"the cache folder can't be written, each process decodes the images itself: {found.trouble}"


def _printable(path: str) -> str:
    """File names need not be text; what is shown and recorded must be."""
    return os.fsencode(path).decode(errors="replace")
