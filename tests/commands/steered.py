"""A search in a store, as its record has it in the middle of the work; nothing is trained."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from made_up import epoch, recorded, space, trial

from archsearch.records import EpochRecord, Status, TrainingRun, TrialResult
from archsearch.study import Place, Record

TOTAL = 12


@dataclass(frozen=True)
class Steered:
    """A search whose process works, or seems to."""

    place: Place
    record: Record

    @property
    def store(self) -> Path:
        return self.place.folder.parent.parent

    def start(self, number: int, worker: int = 0, **fields) -> TrialResult:
        begun = replace(trial(number, **fields), worker=f"worker {worker}")
        self.record.queue(begun, ())
        self.record.start(begun)
        return begun

    def train(
        self, number: int, epochs: int, seed: int = 0, val_loss: float = 0.5
    ) -> tuple[EpochRecord, ...]:
        """Epochs of half a second that have just ended."""
        now = time.time()
        records = [replace(epoch(n, val_loss), ended_at=now) for n in range(1, epochs + 1)]
        for each in records:
            self.record.add_epoch(number, seed, each)
        return records

    def end(
        self,
        number: int,
        status: Status = Status.COMPLETED,
        score: float = 0.5,
        verdict: str = "good",
        epochs: int = 10,
        reason: str = "",
    ) -> None:
        """Start, train and end a trial."""
        begun = self.start(number)
        records = self.train(number, epochs, val_loss=score)
        delivered = epochs if status.has_result else None
        run = TrainingRun(0, status, tuple(records), reason=reason, delivered_epoch=delivered, seconds=6.0)
        self.record.add_run(number, run)
        known = score if status.has_result else None
        ended = replace(begun, status=status, score=known, verdict=verdict, delivered=verdict, runs=(run,))
        self.record.end_trial(ended, None)


@contextmanager
def at_work(folder: Path, *, workers: int = 2, held: bool = True, **words) -> Iterator[Steered]:
    """A search of the made-up space whose session has begun; held by this process as by a driver."""
    place = Place(folder / "mlruns" / "searches" / "made-up-1")
    place.folder.mkdir(parents=True)
    lock = place.lock() if held else None
    try:
        with recorded(place.folder, space(**words)) as record:
            record.begin_session("archsearch run made-up.yaml", workers, TOTAL)
            yield Steered(place, record)
    finally:
        if lock:
            lock.release()
