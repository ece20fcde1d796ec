"""``archsearch run``: from a space to a ranked, explained report."""

import math
import os
import platform
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from archsearch.commands.audit import audited, warn
from archsearch.commands.judging import judged_and_kept
from archsearch.commands.result import NOTHING_TO_DO, Judged, SearchResult, judge
from archsearch.data.references import class_frequencies, linear_model, summarise
from archsearch.data.shapes import data_shape
from archsearch.data.sources import load
from archsearch.errors import ArchsearchError, DataError, Refused, StoreError, TrackingError
from archsearch.execution import WorkerPool, require_backend
from archsearch.execution.builds import Builder
from archsearch.execution.hypermodels import arguments_of, builder_for, require_builds
from archsearch.records import SearchSnapshot, Status
from archsearch.report import write_report
from archsearch.space import SearchSpace
from archsearch.study import (
    Header,
    Mirrored,
    Notify,
    Outcome,
    Place,
    Record,
    Search,
    Store,
    space_completer,
    space_sampler,
)
from archsearch.study.hypermodels import completer_with, sampler_with
from archsearch.tracking import Artifacts, Closing, Mirror, MirrorThread, Tracking, check_answers, first_line

# Who interrupts a process may kill it seconds later: MLflow gets no more than this of them.
INTERRUPTED_CLOSING_SECONDS = 2.0
CLOSING_SECONDS = 120.0
# Less than this of a search's hours is not worth starting workers for.
SHORTEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say beside the space.

    Attributes
    ----------
    trials : int or None
        The search's new total; None leaves it to the space.
    hours : float or None
        Wall time of this run at most.
    store : Path
    new : bool
        Start another search even if this space has one.
    tracking_uri : str or None
        None leaves it to ``MLFLOW_TRACKING_URI``, then to the store.
    tracking : str
        ``"now"``, or ``"later"``: don't need MLflow until the search has ended.
    reports : Path
        Folder of the report.
    command : str
        What repeats this search.
    """

    trials: int | None = None
    hours: float | None = None
    store: Path = Path("mlruns")
    new: bool = False
    tracking_uri: str | None = None
    tracking: Literal["now", "later"] = "now"
    reports: Path = Path("reports")
    command: str = "archsearch.run(...)"

    def __post_init__(self) -> None:
        if self.trials is not None and (not isinstance(self.trials, int) or self.trials < 1):
            raise Refused(f"trials must be a whole number of at least 1, not {self.trials!r}")
        if self.hours is not None and not _is_positive(self.hours):
            raise Refused(f"hours must be a number above 0, not {self.hours!r}")
        if self.tracking not in ("now", "later"):
            raise Refused(f"tracking is 'now' or 'later', not {self.tracking!r}")


def run_search(space: SearchSpace, options: Options, notify: Notify) -> SearchResult:
    """Search `space` until its trials are done or a bound is reached, going on where its record stands.

    Parameters
    ----------
    space : SearchSpace
    options : Options
    notify : callable
        Told of every event after it is recorded.

    Raises
    ------
    Refused
        Before anything is trained.
    SearchLocked
        If another process runs this search.
    StorageFull
    """
    store = Store(options.store)
    place = store.place_for(space, new=options.new)
    tracking = Tracking.choose(options.tracking_uri, store.database, store.artifacts)
    total = space.trials if options.trials is None else options.trials
    nothing_left = _nothing_left(place, space, total)
    if not nothing_left:
        require_backend()
        if options.tracking == "now":
            check_answers(tracking)
    with ExitStack() as stack:
        interrupts = stack.enter_context(_Interrupts())
        shape = data_shape(space.data, space.folder)
        builder = stack.enter_context(closing(builder_for(space, shape)))
        if not nothing_left:
            require_builds(space, builder)
            _require_same_data(place, space)
        header = None if place.record.is_file() else _header(place, space)
        # Nothing is written before all that the user brings is known to be usable.
        store.prepare()
        if not nothing_left:
            _require_folder(options.reports)
        stack.callback(place.lock().release)
        record = stack.enter_context(_record(place, space, header))
        work = _Work(place, record, tracking, options, space.search.hours)
        if nothing_left:
            work.settle(nothing_left, total)
            return _conclude(work, nothing_left, None, {})
        pool = stack.enter_context(closing(_pool(place, space, record)))
        record.begin_session(options.command, pool.capacity, total)
        sample = sampler_with(builder, space, space_sampler(space, shape))
        complete = completer_with(builder, space, space_completer(space, shape))
        search = Search(space, record, pool, notify, sample, complete)
        return _worked_on(work, search, pool, builder, interrupts, total)


def _worked_on(
    work: "_Work", search: Search, pool: WorkerPool, builder: Builder, interrupts: "_Interrupts", total: int
) -> SearchResult:
    """Search until it ends, whatever ends it, and leave the record and MLflow in order."""
    deadline = _deadline(work.options.hours, work.seconds_left)
    mirror = work.start_mirror() if work.options.tracking == "now" else None
    try:
        with interrupts.deferred() as stop:
            builder.stops = lambda: stop.is_set() or (deadline is not None and time.monotonic() >= deadline)
            outcome = search.run(total, deadline, stop)
    except BaseException:
        pool.close()
        work.abandon(mirror)
        raise
    pool.close()
    work.record.end_session(outcome, search.driver_seconds)
    if outcome is Outcome.INTERRUPTED:
        return _interrupted(work, mirror)
    return _conclude(work, outcome, mirror, search.exhausted)


def _pool(place: Place, space: SearchSpace, record: Record) -> WorkerPool:
    fingerprint, workers = record.header().data.fingerprint, space.execution.workers
    arguments = arguments_of(space)
    return WorkerPool(space.data, fingerprint, space.folder, workers, place.models, place.logs, arguments)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the end of a run needs, however it ends."""

    place: Place
    record: Record
    tracking: Tracking
    options: Options
    hours: float | None

    @property
    def seconds_left(self) -> float:
        """What the search may still take of its hours, over all sessions."""
        return _seconds_left(self.record, self.hours)

    @property
    def report_path(self) -> Path:
        """Where the report goes."""
        return self.options.reports.absolute() / f"{self.record.header().name}.html"

    def settle(self, nothing_left: str, total: int) -> None:
        """Have the record say how the search stands, where its last process could not."""
        trials, sessions = self.record.trials(with_runs=False)[0], self.record.sessions()
        succeeded = any(not trial.status.is_failure for trial in trials)
        outcome = Outcome.FINISHED if succeeded else Outcome.ALL_FAILED
        if nothing_left == Outcome.HOURS_REACHED:
            outcome = Outcome.HOURS_REACHED
        total = max(total, len(trials))
        if (sessions[-1].status, self.record.total()) == (outcome, total):
            return
        self.record.begin_session(self.options.command, 0, total)
        self.record.end_session(outcome, 0.0)
        mirrored = self.record.mirrored()
        if mirrored:
            self.record.set_mirrored(replace(mirrored, is_closed=False))

    def start_mirror(self) -> MirrorThread:
        """Start mirroring the record as it stands and grows."""
        mirror = Mirror(self.tracking, self.record.snapshot())
        mirror.open()
        thread = MirrorThread(mirror, self.place.record)
        thread.start()
        return thread

    def end_mirror(self, mirror: MirrorThread, closing: Closing, timeout: float) -> str | None:
        """Bring MLflow into line with the record; what to tell the user if that failed."""
        is_closed = mirror.finish(closing, timeout)
        self.record.set_mirrored(
            Mirrored(self.tracking.uri, mirror.experiment_id, mirror.revision, is_closed)
        )
        if is_closed:
            return None
        why = first_line(mirror.fault) if mirror.fault else f"no answer within {timeout:g} s"
        return f"MLflow at {self.tracking.uri} is behind ({why}); the same command brings it into line"

    def abandon(self, mirror: MirrorThread | None) -> None:
        """Leave after a fault, such as a full disk, as tidily as it allows."""
        with suppress(ArchsearchError):
            self.record.end_session(Outcome.INTERRUPTED, 0.0)
        if mirror:
            mirror.finish(Closing(Outcome.INTERRUPTED, None, Artifacts()), INTERRUPTED_CLOSING_SECONDS)

    def result(self, judged: Judged, status: str, report: Path | None, notes: list[str]) -> SearchResult:
        """The run's result."""
        mirrored = self.record.mirrored()
        is_there = mirrored is not None and mirrored.uri == self.tracking.uri
        return SearchResult(
            judged=judged,
            status=status,
            report=report,
            models=self.place.models,
            tracking_uri=self.tracking.uri,
            experiment_id=mirrored.experiment_id if mirrored and is_there else None,
            notes=tuple(notes),
        )


def _nothing_left(place: Place, space: SearchSpace, total: int) -> str | None:
    """Why nothing is to be trained: all is done, or the search's hours are used up; None where some is."""
    if not place.record.is_file():
        return None
    with Record.open(place.record, read_only=True) as record:
        trials = record.trials(with_runs=False)[0]
        sessions = record.sessions()
        has_ended = bool(trials) and sessions[-1].status in (Outcome.FINISHED, Outcome.ALL_FAILED)
        # A space can hold fewer new architectures than trials were asked for.
        is_exhausted = has_ended and record.total() == total
        is_time_up = _seconds_left(record, space.search.hours) < SHORTEST_SECONDS
    is_running = any(trial.status is Status.RUNNING for trial in trials)
    if not is_running and (len(trials) >= total or is_exhausted):
        return NOTHING_TO_DO
    return Outcome.HOURS_REACHED if is_time_up else None


def _seconds_left(record: Record, hours: float | None) -> float:
    """What is left of a search's hours: they count while a process works on it, not between."""
    if hours is None:
        return math.inf
    return hours * 3600 - sum(session.seconds for session in record.sessions())


def _deadline(hours: float | None, seconds_left: float) -> float | None:
    """When to stop, in seconds of ``time.monotonic``: this run's hours or the search's, the earlier."""
    seconds = min(math.inf if hours is None else hours * 3600, seconds_left)
    return None if math.isinf(seconds) else time.monotonic() + seconds


def _interrupted(work: _Work, mirror: MirrorThread | None) -> SearchResult:
    """Leave quickly: what is recorded is safe, ranking and report can be had any time."""
    judged = judge(work.record.snapshot(), work.record.judgements(), anew=False)
    best = judged.ranked[0].trial if judged.ranked else None
    notes = []
    if mirror:
        closing = Closing(Outcome.INTERRUPTED, best, Artifacts())
        note = work.end_mirror(mirror, closing, INTERRUPTED_CLOSING_SECONDS)
        notes = [note] if note else []
    return work.result(judged, Outcome.INTERRUPTED, None, notes)


def _conclude(
    work: _Work, status: str, mirror: MirrorThread | None, exhausted: Mapping[str, str]
) -> SearchResult:
    """Judge all trials against each other, write the report, bring MLflow into line.

    `exhausted` has the families of which no more trials can be made, with the reasons.
    """
    judged = judged_and_kept(work.record)
    if status == NOTHING_TO_DO and judged.snapshot.status == Outcome.ALL_FAILED:
        status = Outcome.ALL_FAILED
    report, notes = None, []
    if status == Outcome.HOURS_REACHED:
        notes.append(_how_to_go_on(work))
    elif len(judged.snapshot.trials) < judged.snapshot.total:
        notes.append(_why_fewer(judged.snapshot, exhausted))
    try:
        report = write_report(
            judged.snapshot,
            judged.diagnoses,
            judged.ranked,
            work.report_path,
            tracking_link=work.tracking.uri,
        )
    except StoreError as error:
        notes.append(f"no report: {error}")
    note = _bring_into_line(work, mirror, work.result(judged, status, report, []))
    return work.result(judged, status, report, [*notes, note] if note else notes)


def _why_fewer(snapshot: SearchSnapshot, exhausted: Mapping[str, str]) -> str:
    """Why a search has ended before its total."""
    reasons = [f"{family}: {reason}" for family, reason in exhausted.items()]
    why = "; ".join(reasons) or "nothing new is left to try"
    return f"{why}; {len(snapshot.trials)} of {snapshot.total} trials"


def _how_to_go_on(work: _Work) -> str:
    if work.seconds_left < SHORTEST_SECONDS:
        return f"search.hours ({work.hours:g}) are used up; to go on, raise them in the space"
    return "the same command goes on"


def _bring_into_line(work: _Work, mirror: MirrorThread | None, result: SearchResult) -> str | None:
    mirrored = work.record.mirrored()
    now = (work.tracking.uri, work.record.revision(), True)
    if mirror is None and mirrored and (mirrored.uri, mirrored.revision, mirrored.is_closed) == now:
        return None
    ranked = result.judged.ranked
    best = ranked[0].trial if ranked else None
    closing = Closing(
        result.judged.snapshot.status, best, Artifacts(report=result.report, model=result.best_model)
    )
    try:
        if mirror is None:
            check_answers(work.tracking)
            mirror = work.start_mirror()
    except TrackingError as error:
        return f"not mirrored to MLflow: {error}"
    return work.end_mirror(mirror, closing, CLOSING_SECONDS)


@contextmanager
def _record(place: Place, space: SearchSpace, header: Header | None) -> Iterator[Record]:
    """The search's record, made if there is none yet."""
    if place.record.is_file():
        record = Record.open(place.record)
    else:
        record = Record.create(place.record, header or _header(place, space))
    with record:
        yield record


def _require_same_data(place: Place, space: SearchSpace) -> None:
    """Check that a search goes on with the data it began with.

    Raises
    ------
    DataError
        If they are others now: trials on other data can't be compared.
    """
    if not place.record.is_file():
        return
    with Record.open(place.record, read_only=True) as record:
        recorded = record.header().data
    if load(space.data, space.folder).fingerprint != recorded.fingerprint:
        raise DataError(
            f"{space.place_of(('data',))}data: {recorded.source} has changed since search {place.id} began; "
            "restore it, or start another search with --new"
        )


def _header(place: Place, space: SearchSpace) -> Header:
    """What the record of a new search begins with; the data are audited, and not kept."""
    dataset, warnings = audited(space)
    data = summarise(dataset, space.data.origin, warnings)
    warn(data)
    return Header(
        id=place.id,
        uid=uuid.uuid4().hex,
        name=space.name,
        fingerprint=space.fingerprint,
        created_at=time.time(),
        space=space.model_dump(mode="json", exclude_none=True),
        identity=space.identity,
        space_text=space.text,
        versions=_versions(),
        data=data,
        references=(class_frequencies(dataset), linear_model(dataset)),
    )


def _versions() -> dict[str, str]:
    packages = (
        "archsearch",
        "keras",
        "tensorflow",
        "tensorflow-cpu",
        "jax",
        "optuna",
        "scikit-learn",
        "mlflow",
    )
    versions = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions | _git_commit()


def _git_commit() -> dict[str, str]:
    """The commit of the working directory's repository, if it is in one."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"git_commit": done.stdout.strip()} if done.returncode == 0 else {}


class _Interrupts:
    """SIGINT and SIGTERM raise KeyboardInterrupt; within `deferred` they set an event instead.

    Only the main thread can have signals; elsewhere the event is never set.
    """

    def __init__(self) -> None:
        self._stop: threading.Event | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[threading.Event]:
        """An event to look at, in place of the exception."""
        self._stop = threading.Event()
        try:
            yield self._stop
        finally:
            self._stop = None

    def _handle(self, *_: object) -> None:
        if self._stop is None:
            raise KeyboardInterrupt
        self._stop.set()


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _require_folder(folder: Path) -> None:
    """Check before the training that the report can be written after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: no folder for the report: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{folder}: the report can't be written there: permission denied")
