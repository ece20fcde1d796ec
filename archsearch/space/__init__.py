"""Search spaces: the language users write, and the architectures it spans."""

from archsearch.space.sample import (
    named_recipe,
    sample_architecture,
    sample_recipe,
    sample_space,
)
from archsearch.space.schema import SearchSpace, changed_words

__all__ = [
    "SearchSpace",
    "changed_words",
    "named_recipe",
    "sample_architecture",
    "sample_recipe",
    "sample_space",
]
