"""Training: one architecture with its seeds, epoch by epoch."""

from archsearch.training.train import OnEpoch, train

__all__ = ["OnEpoch", "train"]
