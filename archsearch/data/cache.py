"""The cache folder: decoded images, so that they are decoded once and not once per worker."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from archsearch.data.loaded import digest_of, needs_streaming
from archsearch.errors import DataError
from archsearch.home import ensure_home, expanded

Pixels = NDArray[np.uint8]

# A decoding that was killed leaves its file; none takes as long as this.
STALE_SECONDS = 24 * 3600

_END = b"archsearch images 2"
_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One image, shape (height, width, channels); or None, why it can't be read, and if that may pass."""

    pixels: Pixels | None
    why: str = ""
    is_passing: bool = False
    is_resized: bool = False
    is_recolored: bool = False


@dataclass(frozen=True, slots=True)
class Decoding:
    """What was met while decoding.

    Attributes
    ----------
    images : int
        Images that could be read.
    resized, recolored : int
        Those of them that had another size, or other colors.
    unreadable : tuple of (int, str)
        The number of each file that could not be read, and why.
    copies : tuple of (int, int)
        The number of each image that has the pixels of an earlier one, and the first such one's.
    digest : str
        SHA-256 of the pixels.
    """

    images: int
    resized: int
    recolored: int
    unreadable: tuple[tuple[int, str], ...]
    copies: tuple[tuple[int, int], ...]
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """Pixels, shape (images, height, width, channels), on disk; `trouble` with the cache folder, if any."""

    pixels: Pixels
    decoding: Decoding
    trouble: str = ""


def cache_folder() -> Path:
    """``$ARCHSEARCH_CACHE``, else ``archsearch`` in ``$XDG_CACHE_HOME``, else in ``~/.cache``."""
    own = os.environ.get("ARCHSEARCH_CACHE")
    if own:
        return Path(expanded(own))
    ensure_home()
    return Path(expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "archsearch"


def cached(key: Any, shape: tuple[int, int, int], decode: Callable[[], Iterator[Decoded]]) -> Cached:
    """What `decode` yields: from the cache if it is there and whole, else decoded and put there.

    A file is written under a passing name and renamed, so that processes that do it at once don't disturb
    each other. It gets no name if a file could not be read for a reason that may pass. Where the folder can't
    be written, the images are kept in a nameless file among the system's temporary ones.

    Parameters
    ----------
    key : JSON values
        Whatever changes the result.
    shape : tuple of int
        Of one image.
    decode : callable

    Raises
    ------
    DataError
        If there is no room for the images anywhere.
    """
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    path = cache_folder() / f"{name}.images"
    found = _read(path, shape)
    if found is not None:
        return found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _written(path, shape, decode)
    except OSError as error:
        trouble = f"{path.parent}: {error.strerror or error}"
    return _passing(shape, decode, trouble)


def _written(path: Path, shape: tuple[int, int, int], decode: Callable[[], Iterator[Decoded]]) -> Cached:
    _remove_stale(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "w+b") as file:
            decoding, is_lasting = _write(file, decode())
            # After a power cut a file under its own name must be whole.
            os.fsync(file.fileno())
            if is_lasting:
                Path(name).replace(path)
            else:
                Path(name).unlink()
            return Cached(_mapped(file, decoding, shape), decoding)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _remove_stale(folder: Path) -> None:
    for part in folder.glob(".*.part"):
        with suppress(OSError):  # another process may do it too
            if time.time() - part.stat().st_mtime > STALE_SECONDS:
                part.unlink()


def _passing(shape: tuple[int, int, int], decode: Callable[[], Iterator[Decoded]], trouble: str) -> Cached:
    try:
        with tempfile.TemporaryFile() as file:
            decoding, _ = _write(file, decode())
            return Cached(_mapped(file, decoding, shape), decoding, trouble)
    except OSError as error:
        raise DataError(
            f"data: no room for the decoded images in {trouble}, nor in {tempfile.gettempdir()}: "
            f"{error.strerror or error}; let ARCHSEARCH_CACHE name a folder with room"
        ) from None


def _write(file: IO[bytes], decoded: Iterator[Decoded]) -> tuple[Decoding, bool]:
    """Write pixels, then what was met, the length of that, and a mark; tell if that is worth keeping."""
    digest = hashlib.sha256()
    images = resized = recolored = 0
    unreadable, copies = [], []
    firsts: dict[bytes, int] = {}
    is_lasting = True
    for number, image in enumerate(decoded):
        if image.pixels is None:
            unreadable.append((number, image.why))
            is_lasting = is_lasting and not image.is_passing
            continue
        data = image.pixels.tobytes()
        file.write(data)
        digest.update(data)
        first = firsts.setdefault(digest_of(data), images)
        if first < images:
            copies.append((images, first))
        images += 1
        resized += image.is_resized
        recolored += image.is_recolored
    decoding = Decoding(images, resized, recolored, tuple(unreadable), tuple(copies), digest.hexdigest())
    facts = json.dumps(asdict(decoding)).encode()
    file.write(facts + len(facts).to_bytes(_LENGTH_BYTES, "little") + _END)
    file.flush()
    return decoding, is_lasting


def _read(path: Path, shape: tuple[int, int, int]) -> Cached | None:
    """What the file holds; None if it is not there or not what was written."""
    try:
        with path.open("rb") as file:
            decoding = _facts(file)
            pixels = _mapped(file, decoding, shape)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    # Images that are streamed are not read through before the first epoch; their file's length has been seen.
    is_whole = needs_streaming(pixels.shape) or hashlib.sha256(pixels.data).hexdigest() == decoding.digest
    return Cached(pixels, decoding) if is_whole else None


def _facts(file: IO[bytes]) -> Decoding:
    tail = _LENGTH_BYTES + len(_END)
    file.seek(-tail, os.SEEK_END)
    end = file.read(tail)
    if end[_LENGTH_BYTES:] != _END:
        raise ValueError("the end is missing")
    length = int.from_bytes(end[:_LENGTH_BYTES], "little")
    file.seek(-tail - length, os.SEEK_END)
    facts = json.loads(file.read(length))
    unreadable = tuple((number, why) for number, why in facts.pop("unreadable"))
    copies = tuple((number, first) for number, first in facts.pop("copies"))
    return Decoding(**facts, unreadable=unreadable, copies=copies)


def _mapped(file: IO[bytes], decoding: Decoding, shape: tuple[int, int, int]) -> Pixels:
    if not decoding.images:
        return np.zeros((0, *shape), np.uint8)
    return np.memmap(file, np.uint8, "r", shape=(decoding.images, *shape))
