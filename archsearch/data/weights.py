"""What each class weighs in the training loss."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archsearch.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def require_known_classes(words: str | Mapping[str, float] | None, classes: Sequence[str]) -> None:
    """Check that the weights name classes of the data.

    Raises
    ------
    DataError
        If a weight is given for a class that the data don't have.
    """
    unknown = [name for name in words if name not in classes] if isinstance(words, Mapping) else []
    if unknown:
        raise DataError(
            f"data: class_weights: no class {', '.join(map(repr, unknown))}; "
            f"the classes are {', '.join(classes)}"
        )


def class_weights(
    words: str | Mapping[str, float] | None, labels: "NDArray[np.int64]", classes: Sequence[str]
) -> dict[int, float] | None:
    """The weight of each class.

    ``balanced`` is ``n / (k · n_c)``: every class weighs the same in all, and a sample weighs 1 on average
    (G. King and L. Zeng, "Logistic Regression in Rare Events Data", Political Analysis 9, 2001).

    Parameters
    ----------
    words : "balanced", mapping of class name to weight, or None
        A class that the mapping does not name weighs 1.
    labels : array of int64
        Of the training samples.
    classes : sequence of str
    """
    if words is None:
        return None
    if isinstance(words, Mapping):
        return {number: float(words.get(name, 1.0)) for number, name in enumerate(classes)}
    counts = [int((labels == number).sum()) for number in range(len(classes))]
    return {number: len(labels) / (len(classes) * count) for number, count in enumerate(counts)}
