"""Architectures as Keras models."""

from archsearch.models.build import build, reinitialise
from archsearch.models.compile import compile_model

__all__ = ["build", "compile_model", "reinitialise"]
