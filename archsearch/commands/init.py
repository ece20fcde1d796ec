"""``archsearch init``: a starter space, fitted to a folder of images."""

import os
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from archsearch.commands.name_groups import name_groups
from archsearch.commands.schema_ import schema_text
from archsearch.commands.starter import SCHEMA_FILE, Folder, starter
from archsearch.commands.tables import console
from archsearch.errors import DataError, Refused
from archsearch.home import expanded
from archsearch.report.words import count

MOST_CLASSES_SHOWN = 12
MOST_ENDINGS_SHOWN = 5


def write_starter(folder: Path | None, output: Path) -> None:
    """Write a starter and the schema beside it, and print what was found and what to do next.

    Parameters
    ----------
    folder : Path or None
        Of images; None writes a starter on the bundled digits.
    output : Path

    Raises
    ------
    Refused
        If the folder is no folder of images by class, or holds one class only; if there is such a file
        already, or it can't be written.
    """
    if os.path.lexists(output):
        raise Refused(f"{output}: exists already; choose another file with --output")
    found = None if folder is None else look_at(folder, output)
    name = output.stem if folder is None else folder.resolve().name
    text = starter(name, shlex.quote(str(output)), found)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _write(output.with_name(SCHEMA_FILE), schema_text())
        with output.open("x", encoding="utf-8") as file:  # never over a file that came in the meantime
            file.write(text)
    except OSError as error:
        raise Refused(f"{output}: can't be written: {error.strerror or error}") from None
    out = console()
    for line in _findings(found) if found else ["a starter on the bundled digits: 8×8 pixels, 10 classes"]:
        out.print(line, soft_wrap=True)
    out.print()
    rest = f"{shlex.quote(str(output))}"
    rows = {
        "wrote": f"{output} (and {SCHEMA_FILE} beside it, for editors)",
        "check it": f"archsearch check --data {rest}",
        "search it": f"archsearch run {rest}",
    }
    for word, value in rows.items():
        out.print(f"{word:<13} {value}", soft_wrap=True)


def look_at(folder: Path, output: Path) -> Folder:
    """What is in a folder of images, from its files' names and some headers.

    Parameters
    ----------
    folder : Path
    output : Path
        The starter: relative paths in it start from its folder.

    Raises
    ------
    Refused
        If it is no folder of images by class.
    """
    from archsearch.data.folders import image_shape, list_folder
    from archsearch.space.data_words import Data

    data = Data(image_folder=str(folder))
    try:
        listed = list_folder(data, Path.cwd())
        *size, channels = image_shape(data, listed)
    except DataError as error:  # there is no space yet whose words it could name
        raise Refused(str(error).removeprefix("data: image_folder: ")) from None
    counts: dict[str, Counter[str]] = {}
    names: dict[tuple[str, str], list[str]] = {}
    for file in listed.files:
        split, kind = file.part or "", listed.classes[file.label]
        counts.setdefault(split, Counter())[kind] += 1
        names.setdefault((split, kind), []).append(Path(file.path).name)
    return Folder(
        path=_path_from(output.parent, folder),
        counts=counts,
        classes=listed.classes,
        size=(size[0], size[1]),
        is_grey=channels == 1,
        groups=name_groups(names),
        ignored=Counter(Path(file).suffix.lower() for file in listed.ignored),
    )


def _path_from(start: Path, folder: Path) -> str:
    """The folder as the starter names it: relative where the user named it so."""
    given = Path(expanded(str(folder)))
    return str(given) if given.is_absolute() else os.path.relpath(given, start)


def _findings(found: Folder) -> list[str]:
    height, width = found.size
    kind = "grey" if found.is_grey else "colour"
    lines = [
        f"{'images':<13} {found.total:,} in {len(found.classes)} classes, {kind}, mostly {height}×{width}",
    ]
    for split, classes in found.counts.items():
        lines.append(f"{split or 'to be split':<13} {_counts(classes)}")
    if found.ignored:
        lines.append(f"{'ignored':<13} {_ignored(found.ignored)}")
    if found.groups:
        lines.append(f"{'groups':<13} perhaps {found.groups.groups:,}, by file name: {found.groups.pattern}")
        for (one, other), number in found.groups.crossing.items():
            lines.append(
                f"{'':<13} {count(number, 'name')} in both {one} and {other}: read the starter's comment"
            )
    return lines


def _ignored(endings: Mapping[str, int]) -> str:
    ordered = sorted(endings.items(), key=lambda pair: (-pair[1], not pair[0], pair[0]))
    kinds = [f"{number:,} {ending or 'without ending'}" for ending, number in ordered]
    if len(kinds) > MOST_ENDINGS_SHOWN:
        kinds[MOST_ENDINGS_SHOWN:] = [f"{sum(number for _, number in ordered[MOST_ENDINGS_SHOWN:]):,} others"]
    files = count(sum(endings.values()), "file")
    return f"{files} ({', '.join(kinds)}): only JPEG, PNG, BMP, GIF are read"


def _counts(classes: Mapping[str, int]) -> str:
    if len(classes) > MOST_CLASSES_SHOWN:
        return f"{min(classes.values()):,} to {max(classes.values()):,} of each class"
    return ", ".join(f"{name} {number:,}" for name, number in classes.items())


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
