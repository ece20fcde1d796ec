"""Folders of images: which files belong to which split and class, found without decoding any."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archsearch.errors import DataError
from archsearch.home import expanded
from archsearch.space.data_words import PARTS, Data, Part

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
FORMATS = ("JPEG", "PNG", "BMP", "GIF")
LAYOUT = "write train/, val/ and test/ of class folders, or class folders to split"

# The headers that tell the size and color of a folder's images.
LOOKED_AT = 32

GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")

_EXIF_ORIENTATION = 0x0112
_FIRST_TURNED_BY_90_DEGREES = 5

_PART_NAMES: dict[str, Part] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image: its path below the folder, its split (None if it is still to be split), its class."""

    path: str
    part: Part | None
    label: int


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """What a folder of images holds.

    Attributes
    ----------
    root : path
    classes : tuple of str
        The sorted names of the class folders.
    files : tuple of ImageFile
        By split, class and name.
    ignored : tuple of str
        Other files in it, hidden ones aside.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    ignored: tuple[str, ...] = ()


def list_folder(data: Data, folder: Path) -> ImageFolder:
    """List the images of `data`; a test set that the space goes without is left out.

    Raises
    ------
    DataError
        If the folder is not there, or is not laid out as splits of class folders or as class folders.
    """
    assert data.image_folder is not None
    root, name = folder / expanded(data.image_folder), data.image_folder
    try:
        tops, loose = _subfolders(root), _files_of(root)
        parts = _parts(tops, name)
        places: list[tuple[Part | None, Path]] = [
            (part, top / inner) for part, top in parts.items() for inner in _class_folders(root, top, name)
        ]
        if not parts:
            _require_splits_outside(tops, root, name)
            places = [(None, top) for top in _class_folders(root, Path(), name)]
        loose += [top / file for top in parts.values() for file in _files_of(root / top)]
        classes = tuple(sorted({place.name for _, place in places}))
        _require_classes(classes, root, name)
        files: list[ImageFile] = []
        for part, place in places:
            images, others = _images(root, place)
            if not images:
                raise DataError(
                    f"data: image_folder: {name}: the class folder {place} has no images "
                    "(JPEG, PNG, BMP, GIF)"
                )
            if part != "test" or data.test != "none":
                files += [ImageFile(str(image), part, classes.index(place.name)) for image in images]
            loose += others
    except OSError as error:
        raise DataError(f"data: image_folder: {error.filename or root}: {error.strerror}") from None
    for part, top in parts.items():
        missing = set(classes) - {place.name for of, place in places if of == part}
        if missing:
            raise DataError(
                f"data: image_folder: {name}: {top} has no folder {' or '.join(sorted(missing))}; "
                f"every split needs the same class folders ({', '.join(classes)})"
            )
    return ImageFolder(root, classes, tuple(files), tuple(sorted(str(other) for other in loose)))


def _parts(tops: Sequence[Path], name: str) -> dict[Part, Path]:
    """The folders that are splits; empty for class folders that are still to be split."""
    named = [(_PART_NAMES[top.name.lower()], top) for top in tops if top.name.lower() in _PART_NAMES]
    parts = {part: top for wanted in PARTS for part, top in named if part == wanted}
    if not parts:
        return {}
    if len(named) > len(parts):
        raise DataError(f"data: image_folder: {name}: two folders for one split: {_listed(tops)}; {LAYOUT}")
    if "train" not in parts:
        raise DataError(f"data: image_folder: {name}: no train folder beside {_listed(tops)}; {LAYOUT}")
    strangers = [top for top in tops if top not in parts.values()]
    if strangers:
        raise DataError(
            f"data: image_folder: {name}: {_listed(strangers)} beside {_listed(list(parts.values()))}: "
            f"neither a split nor a class; {LAYOUT}"
        )
    return parts


def _require_splits_outside(tops: Sequence[Path], root: Path, name: str) -> None:
    """Refuse splits inside of class folders, whose images would be shuffled into each other."""
    if len(tops) < 2:
        return  # a folder around the splits, which is told otherwise
    for top in tops:
        splits = [inner for inner in _subfolders(root / top) if inner.name.lower() in _PART_NAMES]
        if any(_PART_NAMES[split.name.lower()] == "train" for split in splits):
            raise DataError(
                f"data: image_folder: {name}: {top} holds folders named like splits ({_listed(splits)}): "
                f"write {splits[-1]}/{top} for {top}/{splits[-1]}, and so on"
            )


def _class_folders(root: Path, top: Path, name: str) -> list[Path]:
    found = _subfolders(root / top)
    if not found:
        held = f"{len(_files_of(root / top))} files and no folders"
        raise DataError(f"data: image_folder: {name}: {top.name or 'it'} holds {held}; {LAYOUT}")
    return found


def _require_classes(classes: tuple[str, ...], root: Path, name: str) -> None:
    if len(classes) >= 2:
        return
    inner = f"{name.rstrip('/')}/{classes[0]}"
    is_wrapped = bool(_subfolders(root / classes[0])) if (root / classes[0]).is_dir() else False
    hint = f"; did you mean image_folder: {inner}?" if is_wrapped else "; there must be at least two"
    raise DataError(f"data: image_folder: {name}: one class only, {classes[0]}{hint}")


def _subfolders(root: Path) -> list[Path]:
    """Names of the folders in `root`, sorted, without ``.git``, ``__MACOSX`` and their like."""
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith((".", "__"))]
    return sorted(map(Path, names))


def _files_of(root: Path) -> list[Path]:
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    return sorted(map(Path, names))


def _images(root: Path, place: Path) -> tuple[list[Path], list[Path]]:
    """Images in and below a class folder, and the other files there."""
    images: list[Path] = []
    others: list[Path] = []
    for above, folders, names in os.walk(root / place, followlinks=True):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        here = Path(above).relative_to(root)
        for name in sorted(name for name in names if not name.startswith(".")):
            (images if name.lower().endswith(IMAGE_ENDINGS) else others).append(here / name)
    return images, others


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)


def image_shape(data: Data, listed: ImageFolder) -> tuple[int, int, int]:
    """``(height, width, channels)`` of the images as a network takes them.

    What the space does not say follows from the headers of 32 images spread over the folder: the most common
    size (the smaller of two), and grey if all of them are.

    Raises
    ------
    DataError
        If none of those can be read.
    """
    size, color = data.image_size, data.color
    if size is None or color is None:
        sizes, are_grey = _look(listed)
        size = size or max(sizes, key=lambda it: (sizes[it], -it[0] * it[1]))
        color = color or ("grayscale" if are_grey else "rgb")
    return (*size, 1 if color == "grayscale" else 3)


def _look(listed: ImageFolder) -> tuple[Counter[tuple[int, int]], bool]:
    from PIL import Image

    count = min(LOOKED_AT, len(listed.files))
    looked_at = [listed.files[number * len(listed.files) // count].path for number in range(count)]
    sizes: Counter[tuple[int, int]] = Counter()
    modes, why = set(), ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about damaged headers and large images
        for path in looked_at:
            try:
                with Image.open(listed.root / path, formats=FORMATS) as image:
                    turned = image.getexif().get(_EXIF_ORIENTATION, 1) >= _FIRST_TURNED_BY_90_DEGREES
                    width, height = image.size[::-1] if turned else image.size
                    modes.add(image.mode)
            except Exception as error:  # Pillow raises nearly anything for damaged files
                why = why or f"{path}: {describe_damage(error)}"
            else:
                sizes[height, width] += 1
    if not sizes:
        raise DataError(f"data: image_folder: {listed.root}: none of {count} images can be read ({why})")
    return sizes, modes <= set(GREY_MODES)


def describe_damage(error: Exception) -> str:
    """Why an image can't be read, without its path."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no JPEG, PNG, BMP or GIF image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def groups_of(data: Data, listed: ImageFolder) -> tuple[str, ...]:
    """The group of each image; empty for a group of its own.

    Groups of splits that do not share one numbering get the split's name before theirs.

    Raises
    ------
    DataError
        If no file name matches, or if `across` names splits that the folder does not have.
    """
    words = data.groups
    assert words is not None
    assert words.pattern is not None
    given = {file.part for file in listed.files if file.part is not None}
    left_out = {"test"} if data.test == "none" else set()
    strangers = [part for part in words.across or () if part not in given | left_out]
    if strangers:
        found = ", ".join(part for part in PARTS if part in given)
        remedy = f"leave out {', '.join(strangers)}" if found else "leave across out"
        raise DataError(
            f"data: groups: across: {', '.join(strangers)} of {listed.root}: the folder has "
            f"{found or 'no splits'}; {remedy}, for what is split off shares the numbers of the rest"
        )
    across = given if words.across is None else set(words.across)
    groups = tuple(_groups(re.compile(words.pattern), across, listed.files))
    if not any(groups):
        name = Path(listed.files[0].path).name
        raise DataError(
            f"data: groups: the pattern {words.pattern!r} matches none of {len(listed.files)} file names, "
            f"such as {name}"
        )
    return groups


def _groups(pattern: re.Pattern[str], across: set[Part], files: Sequence[ImageFile]) -> Iterator[str]:
    for file in files:
        found = pattern.search(Path(file.path).name)
        # Of alternatives, each with its own brackets, one takes part.
        groups = (found.groups() or (found[0],)) if found else ()
        group = next((one for one in groups if one is not None), "")
        scope = "" if file.part is None or file.part in across else f"{file.part}:"
        yield f"{scope}{group}" if group else ""
