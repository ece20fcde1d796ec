"""What a record says: its reading half."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from archsearch.errors import StoreError
from archsearch.records import (
    EpochRecord,
    Reference,
    SearchSnapshot,
    SpaceChange,
    Status,
    TrainingRun,
    TrialResult,
)
from archsearch.study.database import explained
from archsearch.study.rows import TRIALS, data_summary, epoch_of, proposal_of, run_of, trial_of
from archsearch.study.summary import Summary, read_summary
from archsearch.study.values import Header, Mirrored, Proposal, Session

if TYPE_CHECKING:
    from archsearch.diagnosis import Judgement


class RecordReader:
    """Reads a search's record; use it as a context manager, or `close` it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def header(self) -> Header:
        """What was known before the first trial, of the space as it was last edited."""
        values = self._values()
        with self._whole():
            return Header(
                **{
                    key: values[key]
                    for key in Header.__dataclass_fields__
                    if key not in ("data", "references")
                },
                data=data_summary(values["data"]),
                references=tuple(Reference(**reference) for reference in values["references"]),
            )

    def total(self) -> int:
        """How many trials the search is to have, those added by hand apart."""
        return int(self._values().get("total", 0))

    def mirrored(self) -> Mirrored | None:
        """How far MLflow is in line with this record; None if it never was."""
        value = self._values().get("mirrored")
        return Mirrored(**value) if value else None

    def revision(self) -> int:
        """A number that grows with every change to a trial."""
        return int(self._rows("SELECT coalesce(max(revision), 0) FROM trials")[0][0])

    def sessions(self) -> list[Session]:
        """Every process's work on the search, oldest first."""
        columns = ", ".join(Session.__dataclass_fields__)
        return [Session(*row) for row in self._rows(f"SELECT {columns} FROM sessions ORDER BY id")]

    def changes(self) -> tuple[SpaceChange, ...]:
        """Every edit of the space that the search went on with, oldest first."""
        rows = self._rows("SELECT trial, at, words FROM changes ORDER BY id")
        return tuple(SpaceChange(trial, at, tuple(json.loads(words))) for trial, at, words in rows)

    def proposals_before_edit(self, family: str) -> int:
        """How many proposals of a family were made before the last edit of the space."""
        return int(self._values().get("proposals_before_edit", {}).get(family, 0))

    def proposals(self, family: str) -> list[Proposal]:
        """All proposals of a family, in order."""
        rows = self._rows("SELECT * FROM proposals WHERE family = ? ORDER BY number", (family,))
        return [proposal_of(row) for row in rows]

    def trials(
        self, changed_after: int = 0, *, with_runs: bool = True
    ) -> tuple[tuple[TrialResult, ...], int]:
        """The trials changed after a revision, and the revision they stand at now; none that are queued.

        Parameters
        ----------
        changed_after : int
        with_runs : bool
            Without their trainings and epochs, reading is quicker.
        """
        with self._at_one_moment():
            revision = self._db.execute("SELECT coalesce(max(revision), 0) FROM trials").fetchone()[0]
            rows = self._db.execute(
                TRIALS + "WHERE revision > ? AND status != ? ORDER BY trials.number",
                (changed_after, Status.QUEUED),
            ).fetchall()
            runs = self._runs([row[0] for row in rows]) if with_runs else {}
        return tuple(trial_of(row, runs) for row in rows), revision

    def queued(self) -> tuple[TrialResult, ...]:
        """The trials that wait for a worker, in the order in which they are to start."""
        order = "WHERE status = ? ORDER BY by_hand DESC, trials.number"
        return tuple(trial_of(row, {}) for row in self._rows(TRIALS + order, (Status.QUEUED,)))

    def trainings(self, trials: Sequence[int]) -> dict[int, tuple[TrainingRun, ...]]:
        """The trainings of some trials with their epochs, by the trials' numbers."""
        with explained(self.path):
            return self._runs(trials)

    def pace(self, trials: Iterable[int], since: float, lately: float) -> dict[int, tuple[float, int]]:
        """By trial: seconds that the epochs took which ended since a time, and how many since a later one.

        Both times are seconds since 1970-01-01 UTC. A trial without any is left out.
        """
        query = (
            "SELECT trial, total(seconds), total(ended_at >= ?) FROM epochs WHERE ended_at >= ? "
            "AND trial IN (SELECT value FROM json_each(?)) GROUP BY trial"
        )
        rows = self._rows(query, (lately, since, json.dumps(sorted(trials))))
        return {trial: (seconds, int(count)) for trial, seconds, count in rows}

    def models(self) -> dict[int, tuple[str, ...]]:
        """The files of weights that are kept, by trial."""
        named: dict[int, tuple[str, ...]] = {}
        for trial, model in self._rows("SELECT trial, model FROM runs WHERE model IS NOT NULL"):
            named[trial] = (*named.get(trial, ()), model)
        return named

    def judgements(self) -> "dict[tuple[int, int], Judgement]":
        """What was judged, by trial and seed; what another version said in other words is left out."""
        from archsearch.diagnosis.storage import from_json  # with the rules, which little else needs

        rows = self._rows("SELECT trial, seed, judgement FROM judgements")
        read = {(trial, seed): from_json(json.loads(text)) for trial, seed, text in rows}
        return {key: judgement for key, judgement in read.items() if judgement}

    def snapshot(self) -> SearchSnapshot:
        """The whole search as it stands."""
        header, sessions = self.header(), self.sessions()
        trials = self.trials()[0]
        return SearchSnapshot(
            id=header.id,
            uid=header.uid,
            name=header.name,
            created_at=header.created_at,
            status=sessions[-1].status if sessions else "interrupted",
            total=self.total() + sum(trial.by_hand for trial in (*trials, *self.queued())),
            space=header.space,
            space_text=header.space_text,
            command=sessions[-1].command if sessions else "",
            versions=header.versions,
            data=header.data,
            references=header.references,
            trials=trials,
            wall_seconds=sum(session.seconds for session in sessions),
            changes=self.changes(),
        )

    def summary(self) -> Summary:
        """The search in short: a few pages of the file are read, however long its curves are.

        Raises
        ------
        StoreError
            If the record is not a whole one.
        """
        with self._at_one_moment(), self._whole():
            return read_summary(self._db, self.sessions())

    def _values(self) -> dict[str, Any]:
        return {key: json.loads(value) for key, value in self._rows("SELECT key, value FROM search")}

    @contextmanager
    def _at_one_moment(self) -> Iterator[None]:
        """One transaction, so that all that is read is of one moment."""
        with explained(self.path):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Refuse a record that lacks what every one has."""
        try:
            yield
        except (KeyError, TypeError) as error:
            raise StoreError(f"{self.path}: the record of a search, but not a whole one: {error}") from None

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with explained(self.path):
            return self._db.execute(query, values).fetchall()

    def _runs(self, numbers: Sequence[int]) -> dict[int, tuple[TrainingRun, ...]]:
        classes = len(data_summary(self._values()["data"]).classes)
        runs: dict[int, tuple[TrainingRun, ...]] = {}
        for number in numbers:
            epochs: dict[int, list[EpochRecord]] = {}
            for _, seed, *values in self._db.execute(
                "SELECT * FROM epochs WHERE trial = ? ORDER BY seed, epoch", (number,)
            ):
                epochs.setdefault(seed, []).append(epoch_of(values))
            ended = {
                row[1]: run_of(row, epochs.get(row[1], ()), classes)
                for row in self._db.execute("SELECT * FROM runs WHERE trial = ? ORDER BY seed", (number,))
            }
            running = {
                seed: TrainingRun(seed, Status.RUNNING, tuple(records)) for seed, records in epochs.items()
            }
            runs[number] = tuple((running | ended)[seed] for seed in sorted(running | ended))
        return runs
