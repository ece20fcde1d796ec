"""The class weights that enter a training's loss."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset
from archsearch.data.weights import class_weights
from archsearch.records import Recipe


def class_weight_for(recipe: Recipe, dataset: Dataset) -> dict[int, float] | None:
    """What ``fit`` takes as ``class_weight``: balanced if the recipe says so, else what the data give.

    Balanced ones are of the training part alone.
    """
    if recipe.class_weights == "balanced":
        return class_weights("balanced", dataset.y[dataset.split.train], dataset.shape.classes)
    return dict(dataset.class_weights) if dataset.class_weights else None


def sample_weights(of_class: Mapping[int, float], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The weight of each sample, shape (samples,); of a class that has none it is 1, as in ``fit``."""
    weights = np.ones(max(int(labels.max()), *of_class) + 1, np.float32)
    weights[list(of_class)] = list(of_class.values())
    return weights[labels]
