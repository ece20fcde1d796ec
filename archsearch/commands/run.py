"""``archsearch run``: from a space to a ranked, explained report."""

import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from archsearch.commands.bounds import Bounds, too_little
from archsearch.commands.header import header_for, require_same_data
from archsearch.commands.interrupts import Interrupts
from archsearch.commands.options import Options
from archsearch.commands.result import NOTHING_TO_DO, SearchResult
from archsearch.commands.work import Work, conclude, interrupted
from archsearch.data.shapes import data_shape
from archsearch.errors import StoreError
from archsearch.execution import Executor, Setup, Slot, local_executor, require_backend, slots_for
from archsearch.execution.builds import Builder
from archsearch.execution.hypermodels import arguments_of, builder_for, require_builds
from archsearch.records import Status
from archsearch.space import SearchSpace
from archsearch.study import (
    Header,
    Notify,
    Outcome,
    Place,
    Record,
    Search,
    Store,
    space_completer,
    space_sampler,
)
from archsearch.study.edited import go_on_with
from archsearch.study.hypermodels import completer_with, sampler_with
from archsearch.study.steering import Add, Mailbox
from archsearch.study.store import edit_since
from archsearch.tracking import Tracking, check_answers

IN_VAIN = "all trials are done: to search the edited space, raise search.trials or say --trials"

SWITCH_SECONDS = 0.0005


def run_search(
    space: SearchSpace, options: Options, notify: Notify, interrupts: Interrupts | None = None
) -> SearchResult:
    """Search `space` until its trials are done or a bound is reached, going on where its record stands.

    Parameters
    ----------
    space : SearchSpace
    options : Options
    notify : callable
        Told of every event after it is recorded.
    interrupts : Interrupts, optional
        Those that the process has entered; else they are handled while this works.

    Raises
    ------
    Refused
        Before anything is trained.
    SearchLocked
        If another process runs this search.
    StorageFull
    """
    space = options.applied_to(space)
    store = Store(options.store)
    place = store.place_for(space, new=options.new, continue_=options.continue_)
    tracking = Tracking.choose(options.tracking_uri, store.database, store.artifacts)
    total = space.trials if options.trials is None else options.trials
    slots = slots_for(space.execution)
    gpus = len({slot.gpu for slot in slots if slot.gpu})
    nothing_left = _nothing_left(place, space, total, gpus)
    if not nothing_left:
        require_backend()
        if options.tracking == "now":
            check_answers(tracking)
    with ExitStack() as stack:
        interrupts = interrupts or stack.enter_context(Interrupts())
        shape = data_shape(space.data, space.folder)
        builder = stack.enter_context(closing(builder_for(space, shape)))
        if not nothing_left:
            require_builds(space, builder)
            require_same_data(place, space)
        header = None if place.record.is_file() else header_for(place, space)
        # Nothing is written before all that the user brings is known to be usable.
        store.prepare()
        if not nothing_left:
            _require_folder(options.reports)
        stack.callback(place.lock().release)
        record = stack.enter_context(_record(place, space, header))
        work = Work(place, record, tracking, options, _bounds(space), gpus)
        if nothing_left:
            is_edited = _go_on_with(record, space, options)
            work.settle(nothing_left, total)
            if nothing_left == NOTHING_TO_DO:
                return conclude(work, nothing_left, notes=[IN_VAIN] if is_edited else _why_fewer(record, {}))
            return conclude(work, nothing_left)
        pool = stack.enter_context(closing(_executor(place, space, record, slots)))
        record.begin_session(options.command, pool.capacity, total, gpus)
        _go_on_with(record, space, options)
        sample = sampler_with(builder, space, space_sampler(space, shape))
        complete = completer_with(builder, space, space_completer(space, shape))
        search = Search(space, record, pool, notify, sample, complete)
        return _worked_on(work, search, pool, builder, interrupts, total)


def _worked_on(
    work: Work, search: Search, pool: Executor, builder: Builder, interrupts: Interrupts, total: int
) -> SearchResult:
    """Search until it ends, whatever ends it, and leave the record and MLflow in order."""
    left = work.seconds_left
    deadline = None if math.isinf(left) else time.monotonic() + left
    mirror = work.start_mirror() if work.options.tracking == "now" else None
    try:
        with interrupts.deferred() as stop, _brisk_threads():
            builder.stops = lambda: stop.is_set() or (deadline is not None and time.monotonic() >= deadline)
            outcome = search.run(total, deadline, stop)
            if stop.is_set():  # just when all was done
                outcome = Outcome.INTERRUPTED
        pool.close()
        work.record.end_session(outcome, search.driver_seconds)
        if outcome is Outcome.INTERRUPTED:
            return interrupted(work, mirror)
        return conclude(work, outcome, mirror, _why(search, outcome, work.record))
    except BaseException as error:
        pool.close()
        work.abandon(mirror, error)
        raise


@contextmanager
def _brisk_threads() -> Iterator[None]:
    """Have workers answered at once: by default the sampler's thread may go on computing for 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _go_on_with(record: Record, space: SearchSpace, options: Options) -> bool:
    """Take up an edited space, and say so; whether it was edited."""
    edit = go_on_with(record, space, continue_=options.continue_)
    if edit.words:
        print("archsearch: the search goes on with an edited space:", file=sys.stderr)
        print(*(f"  {word}" for word in edit.words), sep="\n", file=sys.stderr, flush=True)
    return bool(edit.words)


def _executor(place: Place, space: SearchSpace, record: Record, slots: Sequence[Slot]) -> Executor:
    setup = Setup(
        data=space.data,
        fingerprint=record.header().data.fingerprint,
        folder=space.folder,
        models=place.models,
        arguments=arguments_of(space),
        gpu_memory=space.execution.gpu_memory,
    )
    return local_executor(setup, space.execution, slots, place.logs)


def _why(search: Search, outcome: Outcome, record: Record) -> list[str]:
    """Why a search has ended before its total, where that is not plain."""
    if outcome is Outcome.GIVEN_UP:
        return [f"{search.common_failure}; mend that, and the same command goes on"]
    if outcome is Outcome.HOURS_REACHED:
        return [] if search.too_long is None else [too_little(search.too_long)]
    return _why_fewer(record, search.exhausted)


def _why_fewer(record: Record, exhausted: Mapping[str, str]) -> list[str]:
    """Why a search that is done has fewer trials than it was to have.

    `exhausted` has the families of which no more trials can be made, with the reasons.
    """
    begun, total = len(record.trials(with_runs=False)[0]), record.snapshot().total
    if begun >= total:
        return []
    reasons = [f"{family}: {reason}" for family, reason in exhausted.items()]
    why = "; ".join(reasons) or "nothing new is left to try"
    return [f"{why}; {begun} of {total} trials"]


def _bounds(space: SearchSpace) -> Bounds:
    return Bounds(space.search.hours, space.search.gpu_hours)


def _nothing_left(place: Place, space: SearchSpace, total: int, gpus: int) -> str | None:
    """Why nothing is to be trained: all is done, or the search's time is used up; None where some is."""
    if not place.record.is_file():
        return None
    with Record.open(place.record, read_only=True) as record:
        trials = record.trials(with_runs=False)[0]
        sessions = record.sessions()
        is_edited = bool(edit_since(record.header(), space).words)
        has_ended = bool(trials) and sessions[-1].status in (Outcome.FINISHED, Outcome.ALL_FAILED)
        # A space can hold fewer new architectures than trials were asked for.
        is_exhausted = has_ended and record.total() == total and not is_edited
        is_time_up = _bounds(space).why_used_up(sessions, gpus)
        asked = [request for _, request in Mailbox(place.requests).take() if isinstance(request, Add)]
        waits = asked or any(trial.by_hand for trial in record.queued())
    is_running = any(trial.status is Status.RUNNING for trial in trials)
    counted = sum(not trial.by_hand for trial in trials)
    if not is_running and not waits and (counted >= total or is_exhausted):
        return NOTHING_TO_DO
    return Outcome.HOURS_REACHED if is_time_up else None


@contextmanager
def _record(place: Place, space: SearchSpace, header: Header | None) -> Iterator[Record]:
    """The search's record, made if there is none yet."""
    if place.record.is_file():
        record = Record.open(place.record)
    else:
        record = Record.create(place.record, header or header_for(place, space))
    with record:
        yield record


def _require_folder(folder: Path) -> None:
    """Check before the training that the report can be written after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: no folder for the report: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise StoreError(f"{folder}: the report can't be written there: permission denied")
