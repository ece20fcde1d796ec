"""``archsearch run``: from a space to a ranked, explained report."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from archsearch.commands.bounds import RunBounds, nearest
from archsearch.commands.ends import (
    NOTHING_STARTED,
    bounds_of,
    count_ended,
    none_ended,
    why_ended,
    why_fewer,
    why_nothing_left,
)
from archsearch.commands.header import header_for, require_same_data
from archsearch.commands.interrupts import Interrupts
from archsearch.commands.notes import say, without_effect
from archsearch.commands.options import Options
from archsearch.commands.result import SearchResult
from archsearch.commands.turn import Taken, Turn
from archsearch.commands.work import Work, conclude, interrupted
from archsearch.data.shapes import data_shape
from archsearch.errors import StoreError, why_denied
from archsearch.execution import (
    Executor,
    Setup,
    Slot,
    gpus_of,
    local_executor,
    require_backend,
    slots_for,
)
from archsearch.execution.builds import Builder
from archsearch.execution.hypermodels import arguments_of, builder_for, require_builds
from archsearch.report.words import duration
from archsearch.schedule.moments import shown
from archsearch.space import SearchSpace
from archsearch.study import (
    Header,
    Notify,
    Outcome,
    Place,
    Record,
    Search,
    SearchFound,
    Store,
    space_completer,
    space_sampler,
)
from archsearch.study.edited import go_on_with
from archsearch.study.hypermodels import completer_with, sampler_with
from archsearch.tracking import OpeningStopped, Tracking, check_answers

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
    SearchSkipped
        Likewise, where `options` say that it is left to that one, or waited for, and the time is up.
    StorageFull
    """
    space = options.applied_to(space)
    store = Store(options.store)
    run_bounds = RunBounds(options.hours, options.max_gpu_hours, options.until)
    turn = Turn(options.if_locked, run_bounds)
    with ExitStack() as stack:
        interrupts = interrupts or stack.enter_context(Interrupts())
        if options.until:
            left = options.until.timestamp() - time.time()
            say(f"trains until {shown(options.until)} at the latest, in {duration(left)}")
        while True:
            place = store.place_for(space, new=options.new, continue_=options.continue_)
            notify(SearchFound(place.id))
            try:
                return _searched(place, space, options, notify, interrupts, turn)
            except Taken as taken:
                if not options.new:  # else somebody has just begun one under this id: take the next
                    turn.wait(place, taken)


def _searched(
    place: Place, space: SearchSpace, options: Options, notify: Notify, interrupts: Interrupts, turn: Turn
) -> SearchResult:
    """Search unless another process has the search."""
    store = Store(options.store)
    with ExitStack() as stack:
        is_there = place.folder.is_dir()
        if is_there:  # else nobody has it, and nothing is made before all is known to be usable
            stack.callback(turn.take(place).release)
        tracking = Tracking.choose(options.tracking_uri, store.database, store.artifacts)
        total = space.trials if options.trials is None else options.trials
        gpus = gpus_of(space.execution)
        nothing_left = why_nothing_left(place, space, total, gpus)
        slots: tuple[Slot, ...] = ()
        if not nothing_left:
            slots = slots_for(space.execution, options.least_free, options.gpus_word)
            gpus = len({slot.gpu for slot in slots if slot.gpu})
            require_backend()
            if options.tracking == "now":
                check_answers(tracking)
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
        if not is_there:
            stack.callback(turn.take(place).release)
        record = stack.enter_context(_record(place, space, header))
        work = Work(place, record, tracking, options, bounds_of(space), turn.bounds, gpus)
        if not nothing_left and nearest(*work.bounds_from_now()).is_used_up:
            nothing_left = Outcome.HOURS_REACHED  # by what came before the trainings
        if nothing_left:
            return _settled(work, space, nothing_left, total)
        for note in without_effect(space, options, slots):
            say(note)
        pool = stack.enter_context(closing(_executor(work, space, slots)))

        def search() -> Search:
            _go_on_with(record, space, options)
            sample = sampler_with(builder, space, space_sampler(space, shape))
            complete = completer_with(builder, space, space_completer(space, shape))
            return Search(space, record, pool, notify, sample, complete)

        return _worked_on(work, search, pool, builder, interrupts, total)


def _settled(work: Work, space: SearchSpace, nothing_left: str, total: int) -> SearchResult:
    """The result where nothing is to be trained; the record and MLflow in order."""
    is_edited = _go_on_with(work.record, space, work.options)
    bound = nearest(*work.bounds_from_now())
    reason = bound.why_ended() if nothing_left == Outcome.HOURS_REACHED else ""
    work.settle(nothing_left, total, reason)
    if reason:
        return conclude(work, nothing_left, notes=[reason, NOTHING_STARTED], bound=bound.name)
    return conclude(work, nothing_left, notes=[IN_VAIN] if is_edited else why_fewer(work.record, {}))


def _worked_on(
    work: Work,
    prepared: Callable[[], Search],
    pool: Executor,
    builder: Builder,
    interrupts: Interrupts,
    total: int,
) -> SearchResult:
    """Search until it ends, whatever ends it, and leave the record and MLflow in order."""
    done, bounds, mirror = count_ended(work.record), work.bounds_from_now(), None
    left = nearest(*bounds).seconds_left
    work.record.begin_session(work.options.command, pool.capacity, total, work.gpus, left)
    try:
        search = prepared()
        if work.options.tracking == "now":
            with suppress(OpeningStopped):
                mirror = work.start_mirror(lambda: nearest(*bounds).is_used_up)
        with interrupts.deferred() as stop, _brisk_threads():
            builder.stops = lambda: stop.is_set() or nearest(*bounds).seconds_left <= 0
            outcome = search.run(total, lambda: nearest(*bounds).seconds_left, stop)
            if stop.is_set():  # just when all was done
                outcome = Outcome.INTERRUPTED
        pool.close()
        bound = nearest(*bounds)
        reason = why_ended(search, work.record, outcome, bound)
        work.record.end_session(outcome, search.driver_seconds, reason)
        if outcome is Outcome.INTERRUPTED:
            return interrupted(work, mirror)
        if outcome is Outcome.HOURS_REACHED:
            none = [] if count_ended(work.record) > done else [none_ended(work.record)]
            return conclude(work, outcome, mirror, [reason, *none], bound.name)
        notes = why_fewer(work.record, search.exhausted) if outcome is Outcome.ALL_FAILED else [reason]
        return conclude(work, outcome, mirror, list(filter(None, notes)))
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
        say("the search goes on with an edited space:")
        print(*(f"  {word}" for word in edit.words), sep="\n", file=sys.stderr, flush=True)
    return bool(edit.words)


def _executor(work: Work, space: SearchSpace, slots: Sequence[Slot]) -> Executor:
    setup = Setup(
        data=space.data,
        fingerprint=work.record.header().data.fingerprint,
        folder=space.folder,
        models=work.place.models,
        arguments=arguments_of(space),
        gpu_memory=space.execution.gpu_memory,
        gpus_asked=work.options.gpus_asked(space.execution, slots),
    )
    return local_executor(setup, space.execution, slots, work.place.logs, say)


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
        raise StoreError(f"{folder}: the report can't be written there: {why_denied(folder)}")
