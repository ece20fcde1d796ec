"""A training's state after an epoch, on disk, so that hours of training survive their process."""

import json
import zipfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.records import EpochRecord
from archsearch.training.watch import Best


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A training after its last epoch in `epochs`.

    Attributes
    ----------
    of : str
        What is trained, how and on what: a checkpoint of anything else is of no use.
    epochs : tuple of EpochRecord
    best_epoch : int
    best : Best
    state : list of arrays
        All variables of model and optimizer.
    """

    of: str
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    best: Best
    state: list[NDArray[Any]]

    def write(self, path: Path) -> None:
        """Write it whole or not at all.

        Raises
        ------
        OSError
            If the disk is full.
        """
        head = {
            "of": self.of,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "best_epoch": self.best_epoch,
            "spread": self.best.spread,
        }
        arrays: dict[str, Any] = {
            "head": np.array(json.dumps(head)),
            "probabilities": self.best.probabilities,
            **_numbered("state", self.state),
            **_numbered("best", self.best.weights),
        }
        unfinished = path.with_name(f"unfinished-{path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("wb") as file:
                np.savez(file, **arrays)
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise


def read(path: Path, of: str) -> Checkpoint | None:
    """The checkpoint at `path`; None where there is none, or it is damaged or of something else."""
    try:
        # Opened here: of half a file NumPy would leave its own open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            head = json.loads(str(arrays["head"]))
            if head["of"] != of:
                return None
            best = Best(head["spread"], arrays["probabilities"], _in_order("best", arrays))
            epochs = tuple(
                EpochRecord(**{**epoch, "val_loss_halves": tuple(epoch["val_loss_halves"])})
                for epoch in head["epochs"]
            )
            return Checkpoint(of, epochs, head["best_epoch"], best, _in_order("state", arrays))
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _numbered(name: str, arrays: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {f"{name}-{number}": array for number, array in enumerate(arrays)}


def _in_order(name: str, arrays: Any) -> list[NDArray[Any]]:
    count = sum(key.startswith(f"{name}-") for key in arrays)
    return [arrays[f"{name}-{number}"] for number in range(count)]
