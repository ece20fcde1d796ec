"""Architectures as Keras models."""

from archsearch.models.build import build

__all__ = ["build"]
