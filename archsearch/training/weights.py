"""The class weights that enter a training's loss."""

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
