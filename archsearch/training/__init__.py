"""Training: one architecture, one seed at a time, epoch by epoch."""

from archsearch.training.train import OnEpoch, train

__all__ = ["OnEpoch", "train"]
