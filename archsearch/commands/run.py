"""``archsearch run``: from a space to a ranked, explained report."""

import platform
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from archsearch.commands.result import NOTHING_TO_DO, Judged, SearchResult, judge
from archsearch.data import class_frequencies, linear_model, load, summarise
from archsearch.errors import TrackingError
from archsearch.execution import WorkerPool, require_backend
from archsearch.records import Status
from archsearch.report import write_report
from archsearch.space import SearchSpace
from archsearch.study import Header, Mirrored, Notify, Outcome, Place, Record, Search, Store
from archsearch.tracking import Artifacts, Closing, Mirror, MirrorThread, Tracking, check_answers

# Who interrupts a process may kill it seconds later: MLflow gets no more than this of them.
INTERRUPTED_CLOSING_SECONDS = 2.0
CLOSING_SECONDS = 120.0


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
    store.prepare()
    place = store.place_for(space, new=options.new)
    tracking = Tracking.choose(options.tracking_uri, store.database, store.artifacts)
    total = options.trials or space.trials
    is_complete = _is_complete(place, total)
    if not is_complete:
        require_backend()
        if options.tracking == "now":
            check_answers(tracking)
    with ExitStack() as stack:
        lock = place.lock()
        stack.callback(lock.release)
        if is_complete:
            record = stack.enter_context(Record.open(place.record))
            return _conclude(_Work(place, record, tracking, options), NOTHING_TO_DO, None)
        stop = stack.enter_context(_stop_signals())
        pool = WorkerPool(space.data, space.execution.workers, place.models, place.logs)
        stack.callback(pool.close)
        record = stack.enter_context(_record(place, space, options))
        work = _Work(place, record, tracking, options)
        mirror = work.start_mirror() if options.tracking == "now" else None
        record.begin_session(pool.capacity)
        record.set_total(total)
        search = Search(space, record, pool, notify)
        deadline = time.monotonic() + options.hours * 3600 if options.hours else None
        outcome = search.run(total, deadline, stop)
        pool.close()
        record.end_session(outcome, search.driver_seconds)
        if outcome is Outcome.INTERRUPTED:
            return _interrupted(work, mirror)
        return _conclude(work, outcome, mirror)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the end of a run needs, however it ends."""

    place: Place
    record: Record
    tracking: Tracking
    options: Options

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
            Mirrored(self.tracking.uri, mirror.experiment_id, mirror.run_id, mirror.revision, is_closed)
        )
        if is_closed:
            return None
        why = str(mirror.fault).splitlines()[0] if mirror.fault else f"no answer within {timeout:g} s"
        return f"MLflow at {self.tracking.uri} is behind ({why}); the same command brings it into line"

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


def _is_complete(place: Place, total: int) -> bool:
    """Whether nothing is left to train."""
    if not place.record.is_file():
        return False
    with Record.open(place.record, read_only=True) as record:
        trials = record.trials(with_runs=False)[0]
        sessions = record.sessions()
        has_ended = bool(sessions) and sessions[-1].status in (Outcome.FINISHED, Outcome.ALL_FAILED)
        # A space can hold fewer new architectures than trials were asked for.
        is_exhausted = has_ended and record.total() == total
    is_running = any(trial.status is Status.RUNNING for trial in trials)
    return not is_running and (len(trials) >= total or is_exhausted)


def _interrupted(work: _Work, mirror: MirrorThread | None) -> SearchResult:
    """Leave quickly: what is recorded is safe, ranking and report can be had any time."""
    judged = judge(work.record.snapshot())
    best = judged.ranked[0].trial if judged.ranked else None
    notes = []
    if mirror:
        closing = Closing(Outcome.INTERRUPTED, best, Artifacts())
        note = work.end_mirror(mirror, closing, INTERRUPTED_CLOSING_SECONDS)
        notes = [note] if note else []
    return work.result(judged, Outcome.INTERRUPTED, None, notes)


def _conclude(work: _Work, status: str, mirror: MirrorThread | None) -> SearchResult:
    """Judge all trials against each other, write the report, bring MLflow into line."""
    judged = judge(work.record.snapshot())
    verdicts = {
        number: (str(diagnosis.verdict), str(diagnosis.delivered))
        for number, diagnosis in judged.diagnoses.items()
    }
    before = {trial.number: (trial.verdict, trial.delivered) for trial in judged.snapshot.trials}
    work.record.set_verdicts({n: verdict for n, verdict in verdicts.items() if before[n] != verdict})
    if status == NOTHING_TO_DO and judged.snapshot.status == Outcome.ALL_FAILED:
        status = Outcome.ALL_FAILED
    path = work.options.reports / f"{judged.snapshot.name}.html"
    report = write_report(
        judged.snapshot, judged.diagnoses, judged.ranked, path, tracking_link=work.tracking.uri
    )
    result = work.result(judged, status, report, [])
    note = _bring_into_line(work, mirror, result)
    return work.result(judged, status, report, [note] if note else [])


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
def _record(place: Place, space: SearchSpace, options: Options) -> Iterator[Record]:
    """The search's record, made if there is none yet."""
    if place.record.is_file():
        record = Record.open(place.record)
    else:
        dataset = load(space.data)
        header = Header(
            id=place.id,
            name=space.name,
            fingerprint=space.fingerprint,
            created_at=time.time(),
            space=space.model_dump(mode="json", exclude_none=True),
            identity=space.identity,
            space_text=space.text,
            command=options.command,
            versions=_versions(),
            data=summarise(dataset, space.data.source),
            references=(class_frequencies(dataset), linear_model(dataset)),
        )
        record = Record.create(place.record, header)
    with record:
        yield record


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


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, in place of what they usually do.

    Only the main thread can have signals; elsewhere the event is never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def set_stop(*_: Any) -> None:
        stop.set()

    before = {number: signal.signal(number, set_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
