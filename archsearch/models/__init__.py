"""Architectures as Keras models."""

from archsearch.models.build import build
from archsearch.models.compile import compile_model

__all__ = ["build", "compile_model"]
