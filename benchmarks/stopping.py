"""The diagnosis as a stopping rule on labelled curves, beside early stopping and an oracle.

    python benchmarks/stopping.py CURVES

CURVES is a Parquet file with the columns curve, source, epoch, train_loss and val_loss. Each curve is played
epoch by epoch, which takes minutes. Nothing is known of its learning rate, so a drop is held possible at any
time.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from archsearch.diagnosis import Context, Curves, settled

PATIENCES = (10, 76, 100)

Stop = Callable[[np.ndarray, np.ndarray], int]
"""Takes a whole train and validation loss and answers the last epoch that is trained, counted from 1."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one rule on some curves."""

    reached: int
    epochs: int
    excess: float
    worst: float


def main(path: str) -> None:
    table = pd.read_parquet(path).sort_values(["curve", "epoch"])
    for source, rows in table.groupby("source"):
        curves = [
            (curve.train_loss.to_numpy(float), curve.val_loss.to_numpy(float))
            for _, curve in rows.groupby("curve")
        ]
        planned = sum(len(val) for _, val in curves)
        print(f"\n{source}: {len(curves)} curves, {planned:,} epochs")
        print(f"{'rule':<28}{'best reached':>13}{'epochs':>9}{'excess: mean':>14}{'largest':>9}")
        for name, stop in rules().items():
            one = score(stop, curves)
            print(f"{name:<28}{one.reached:>13}{one.epochs:>9,}{one.excess:>14.2%}{one.worst:>9.2%}")
    print("\nexcess: lowest validation loss until the stop, over that of the whole curve")
    timed()


def rules() -> dict[str, Stop]:
    patience = {f"EarlyStopping(patience={n})": early_stopping(n) for n in PATIENCES}
    return {"diagnosis": diagnosis, **patience, "oracle": lambda _, val: int(np.argmin(val)) + 1}


def diagnosis(train: np.ndarray, val: np.ndarray) -> int:
    context = Context(planned_epochs=len(val))
    for epoch in range(1, len(val)):
        if settled(Curves(train[:epoch], val[:epoch]), context, rate_may_drop=True):
            return epoch
    return len(val)


def early_stopping(patience: int) -> Stop:
    def stop(_: np.ndarray, val: np.ndarray) -> int:
        best = 0
        for epoch in range(len(val)):
            if val[epoch] < val[best]:
                best = epoch
            if epoch - best >= patience:
                return epoch + 1
        return len(val)

    return stop


def score(stop: Stop, curves: list[tuple[np.ndarray, np.ndarray]]) -> Score:
    stops = [stop(train, val) for train, val in curves]
    vals = [val for _, val in curves]
    excess = [val[:n].min() / val.min() - 1 for val, n in zip(vals, stops, strict=True)]
    reached = sum(n > int(np.argmin(val)) for val, n in zip(vals, stops, strict=True))
    return Score(reached, sum(stops), float(np.mean(excess)), max(excess))


def timed() -> None:
    """How long an epoch's question takes, at most: of a curve for which every rule is asked."""
    for epochs in (200, 1_000):
        time_ = np.arange(epochs)
        train = np.exp(-time_ / 20) + 1e-3 * np.random.default_rng(0).normal(size=epochs)
        curves = Curves(train, train + 1e-4 * time_)
        started = time.perf_counter()
        for _ in range(20):
            settled(curves, rate_may_drop=True)
        print(f"one question after {epochs} epochs: {(time.perf_counter() - started) / 20 * 1e3:.1f} ms")


if __name__ == "__main__":
    main(sys.argv[1])
