"""Images that are nearly the same: re-encoded, resized or mirrored copies.

An image is described by its *spectrum*: the DCT coefficients of a grey thumbnail, each multiplied by its
frequency. The power of natural images falls with the square of frequency (Field 1987, J. Opt. Soc. Am. A
4(12)), so without that weight a comparison sees only what all images of one kind share (every chest X-ray
is a bright spine between dark lungs), and with it what only copies share: fine structure. Mirroring an
image changes the sign of its odd horizontal frequencies, so that mirrored copies need no second spectrum.

The perceptual hash is the signs of the 63 lowest frequencies. It finds candidates by counting bits, and the
correlation of the spectra confirms them. Libraries of perceptual hashes work file by file on Pillow images;
here the samples are arrays already, their transform is two matrix products for a whole batch, and the sign
of the frequencies, unlike the usual comparison with their median, can be mirrored.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from archsearch.data.dataset import Samples

Spectra = NDArray[np.float32]
Positions = NDArray[np.int64]

THUMBNAIL = 32  # pixels a side
FREQUENCIES = 16  # a side: half of those of a thumbnail; the upper half is what JPEG and resizing change
HASHED = 8  # frequencies a side: 8·8 - 1 bits in one machine word

MOST_BITS = 12
"""Largest distance of two hashes whose spectra are compared.

Of 300 copies each (JPEG of quality 40 and 60, 50 and 80 % of the size and back, by nearest neighbour too,
mirrored), the farthest was 9 bits away on images of 96 and 100 pixels. At 12 bits 0.7 % of the pairs of
different chest X-rays are candidates.
"""

LEAST_CORRELATION = ((32, 0.96), (16, 0.99))
"""Spectra that correlate at least so much are near duplicates, for images of at least so many pixels a side.

On 4,660 chest X-rays of 96 pixels (10.9 million pairs) the most alike of different images correlate 0.952,
the next 0.917; on 1,542 photographs of hands 0.885; every copy named above at least 0.970. Below 32 pixels
copies keep less (at 28 pixels and 80 % of the size 0.92 to 0.98), and other things become as alike as
copies (1,732 pairs of 14,400 articles of clothing above 0.96, plain trousers most of all; 7 above 0.99,
sweaters and bags a person would call the same): only mirrored and lightly changed copies are found there.
Below 16 pixels an image is no more than a drawing of its kind.
"""

NO_DETAIL = 1e-3  # of a spectrum's length: below, an image is one grey, up to rounding

CHUNK_BYTES = 64 * 2**20  # of float32 samples at a time
TILE = 1024  # hashes a side compared at a time: 8 MiB
DENSE = 0.05  # share of candidates in a tile from which one matrix product is faster than picking pairs


def least_correlation(input_shape: tuple[int, ...]) -> float | None:
    """The correlation from which two images are near duplicates; None where none can be told.

    Parameters
    ----------
    input_shape : tuple of int
        ``(height, width, channels)``; anything else is no image.
    """
    if len(input_shape) != 3:
        return None
    side = min(input_shape[:2])
    return next((least for smallest, least in LEAST_CORRELATION if side >= smallest), None)


def near_clusters(x: Samples, indices: Positions, input_shape: tuple[int, ...]) -> list[Positions]:
    """Sets of two or more of the samples at `indices` that are linked by being near duplicates.

    Time grows with the square of the number of samples, memory with the number.

    Parameters
    ----------
    x : Samples
        Images in [0, 1].
    indices : array of int64
        Without exact duplicates, which would be found again.
    input_shape : tuple of int

    Returns
    -------
    list of arrays of int64
        Indices into `x`; empty for images too small and for what is no image.
    """
    least = least_correlation(input_shape)
    if least is None or len(indices) < 2:
        return []
    described = spectra(x, indices)
    labels: Positions = np.arange(len(indices))
    for first, second in _near_pairs(described, hashes(described), least):
        # Where most images are alike, most pairs say what others have said.
        news = labels[first] != labels[second]
        if news.any():
            labels = _merged(labels, first[news], second[news])
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order])) + 1
    return [indices[members] for members in np.split(order, starts) if len(members) > 1]


def spectra(x: Samples, indices: Positions) -> Spectra:
    """Spectra of the images at `indices`, of length 1 (0 for one grey), shape (len(indices), 256)."""
    height, width = x.stored.shape[1:3]
    down, across = _transform(height), _transform(width)
    frequency = np.arange(FREQUENCIES)
    weights = np.hypot(frequency[:, np.newaxis], frequency).astype(np.float32)
    found = np.empty((len(indices), FREQUENCIES**2), np.float32)
    size = max(1, CHUNK_BYTES // (4 * int(np.prod(x.stored.shape[1:]))))
    for start in range(0, len(indices), size):
        grey = x.take(indices[start : start + size]).mean(axis=3)
        coefficients = down @ grey @ across.T
        found[start : start + size] = (coefficients * weights).reshape(len(grey), -1)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(lengths > NO_DETAIL, found / np.maximum(lengths, NO_DETAIL), np.float32(0))


def hashes(described: Spectra) -> NDArray[np.uint64]:
    """The signs of the lowest frequencies of spectra, one 64-bit word each, shape (len(described),)."""
    signs = described.reshape(-1, FREQUENCIES, FREQUENCIES)[:, :HASHED, :HASHED] > 0
    return _words(signs.reshape(len(described), -1))


def _transform(side: int) -> Spectra:
    """What takes `side` pixels to the DCT of their thumbnail, shape (FREQUENCIES, side).

    A pixel of the thumbnail is the mean over its area (as Pillow's ``BOX``).
    """
    edges = np.linspace(0, side, THUMBNAIL + 1)
    pixels = np.arange(side)
    upper = np.minimum(edges[1:, np.newaxis], pixels + 1)
    lower = np.maximum(edges[:-1, np.newaxis], pixels)
    shares = np.clip(upper - lower, 0, None) * THUMBNAIL / side
    cosines = dct(np.eye(THUMBNAIL), axis=0, norm="ortho")[:FREQUENCIES]
    return np.asarray(cosines @ shares, np.float32)


def _mirrored(side: int) -> NDArray[np.bool_]:
    """Which frequencies change their sign in a mirror, shape (side · side,)."""
    return np.tile(np.arange(side) % 2 == 1, side)


def _words(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _near_pairs(
    described: Spectra, words: NDArray[np.uint64], least: float
) -> Iterator[tuple[Positions, Positions]]:
    """Positions of near duplicates, tile by tile, as they are and mirrored."""
    mirror = np.where(_mirrored(FREQUENCIES), np.float32(-1), np.float32(1))
    flips = _words(_mirrored(HASHED)[np.newaxis])[0]
    for top in range(0, len(words), TILE):
        rows = slice(top, top + TILE)
        for left in range(top, len(words), TILE):
            columns = slice(left, left + TILE)
            for flip, signs in ((np.uint64(0), np.float32(1)), (flips, mirror)):
                apart = np.bitwise_count((words[rows] ^ flip)[:, np.newaxis] ^ words[columns])
                near = _confirmed(described[rows] * signs, described[columns], apart <= MOST_BITS, least)
                first, second = near[0] + top, near[1] + left
                once = first < second
                if once.any():
                    yield first[once], second[once]


def _confirmed(
    rows: Spectra, columns: Spectra, candidates: NDArray[np.bool_], least: float
) -> tuple[Positions, Positions]:
    if np.count_nonzero(candidates) > DENSE * candidates.size:
        first, second = np.nonzero(candidates & (rows @ columns.T >= least))
        return first, second
    first, second = np.nonzero(candidates)
    alike = np.einsum("ij,ij->i", rows[first], columns[second]) >= least
    return first[alike], second[alike]


def _merged(labels: Positions, first: Positions, second: Positions) -> Positions:
    """`labels` of sets after joining the sets of each pair."""
    size = len(labels)
    links = coo_array((np.ones(len(first), np.bool_), (labels[first], labels[second])), shape=(size, size))
    joined = connected_components(links, directed=False)[1]
    return np.asarray(joined[labels], np.int64)
