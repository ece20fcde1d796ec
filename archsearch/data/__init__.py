"""Data sources, their fixed splits, and reference models on them."""

from archsearch.data.references import class_frequencies, linear_model, summarise
from archsearch.data.sources import Dataset, DataShape, data_shape, load
from archsearch.data.splits import Split

__all__ = [
    "DataShape",
    "Dataset",
    "Split",
    "class_frequencies",
    "data_shape",
    "linear_model",
    "load",
    "summarise",
]
