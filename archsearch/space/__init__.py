"""Search spaces: the language users write, and the architectures it spans."""

from archsearch.space.edits import Edit, changed_words, edit_between
from archsearch.space.sample import (
    named_recipe,
    sample_architecture,
    sample_recipe,
    sample_space,
)
from archsearch.space.schema import SearchSpace

__all__ = [
    "Edit",
    "SearchSpace",
    "changed_words",
    "edit_between",
    "named_recipe",
    "sample_architecture",
    "sample_recipe",
    "sample_space",
]
