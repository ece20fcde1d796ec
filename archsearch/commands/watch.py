"""``archsearch watch``: a search that runs, here or elsewhere, as it goes on."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from archsearch.commands.progress import ending
from archsearch.commands.standing import waiting
from archsearch.commands.tables import aligned, console, print_table
from archsearch.commands.watched import Watched, Watcher
from archsearch.records import Status, TrainingRun, TrialResult
from archsearch.report.sentences import STATUS_WORDS
from archsearch.report.words import NONE, confidence, count, duration, loss
from archsearch.study import Place

SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_BLOCKS = 10.0

COLUMNS = (
    "worker",
    ">trial",
    ">seed",
    ">epoch",
    ">train loss",
    ">val loss",
    ">s/epoch",
    "architecture",
)

LATEST_EPOCHS = 5
"""Of so many the seconds per epoch are the mean."""


def watch(place: Place, *, once: bool) -> None:
    """Show how a search goes on until it ends, or Ctrl-C; what runs it is not touched.

    Parameters
    ----------
    place : Place
    once : bool
        Show how it stands now, and return.

    Raises
    ------
    StoreError
        If its record can't be read.
    """
    watcher = Watcher(place)
    with _ctrl_c() as is_over:
        watched = watcher.look()
        if watched.is_running and not once:
            show = _live if sys.stdout.isatty() else _blocks
            watched = show(watcher, watched, is_over)
        if not is_over():
            _print(watched)


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C has come. Its exception would be lost in a callback, such as one of an import."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)


def _live(watcher: Watcher, watched: Watched, is_over: Callable[[], bool]) -> Watched:
    """Show a running search on a terminal; how it stands when it no longer runs."""
    with Live(_drawn(watched), console=Console(emoji=False), auto_refresh=False, transient=True) as live:
        while watched.is_running and not is_over():
            time.sleep(SECONDS_BETWEEN_LOOKS)
            watched = watcher.look()
            live.update(_drawn(watched), refresh=True)
    return watched


def _blocks(watcher: Watcher, watched: Watched, is_over: Callable[[], bool]) -> Watched:
    """Print a block from time to time; how the search stands when it no longer runs."""
    while watched.is_running and not is_over():
        _print(watched)
        print(flush=True)
        until = time.monotonic() + SECONDS_BETWEEN_BLOCKS
        while watched.is_running and not is_over() and time.monotonic() < until:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            watched = watcher.look()
    return watched


def _drawn(watched: Watched) -> RenderableType:
    """What fits on a terminal: of long lines the beginning."""
    table = aligned(COLUMNS, _rows(watched)) if watched.running else ()
    lines = (*_summary(watched), "", *table, "", *_ended(watched))
    return Group(*(Text(line.rstrip(), no_wrap=True, overflow="ellipsis") for line in lines))


def _print(watched: Watched) -> None:
    """Print everything whole."""
    out = console()
    for line in _summary(watched):
        out.print(line, soft_wrap=True)
    if watched.running and watched.is_running:
        print_table(COLUMNS, _rows(watched), long="architecture", spare=("s/epoch", "seed"))
    for line in _ended(watched):
        out.print(line, soft_wrap=True)
    sys.stdout.flush()


def _summary(watched: Watched) -> list[str]:
    how = f"running ({watched.by})" if watched.by else watched.status.replace("_", " ")
    lines = [f"search {watched.id}: {how}", _trials(watched), _best(watched)]
    if watched.is_running:
        lines.append(_speed(watched))
    else:
        lines.append(STATUS_WORDS.get(watched.status, ""))
        lines.append(waiting(watched.added))
    return list(filter(None, lines))


def _trials(watched: Watched) -> str:
    words = [f"{watched.ended} of {count(watched.total, 'trial')} done"]
    if watched.queued:
        following = watched.queued[0]
        by_hand = " (by hand)" if following.by_hand else ""
        words.append(
            f"{len(watched.queued)} queued, next trial {following.number}{by_hand}: {following.label}"
        )
    if watched.is_running and watched.ended < watched.total:
        left = watched.seconds_left
        words.insert(1, "time left: not known yet" if left is None else f"about {duration(left)} left")
    return ", ".join(words)


def _best(watched: Watched) -> str:
    best = watched.best
    if best is None or best.score is None:
        return "best: none yet"
    sure = "" if best.confidence is None else f", confidence {confidence(best.confidence)}"
    return f"best: score {best.score:.4f}, {best.verdict}{sure} (trial {best.number}): {best.label}"


def _speed(watched: Watched) -> str:
    words = [count(watched.workers, "worker")]
    idle = watched.workers - len(watched.running)
    if idle > 0:
        words[0] += f", {idle} of them without a trial"
    if watched.epochs_per_second is not None:
        words.append(f"{watched.epochs_per_second:.1f} epochs per second")
    if watched.training_share is not None:
        words.append(f"{100 * watched.training_share:.0f} % of the time spent training")
    return ", ".join(words)


def _rows(watched: Watched) -> list[list[str]]:
    return [_row(trial) for trial in watched.running]


def _row(trial: TrialResult) -> list[str]:
    """A line for the worker that trains it; of seeds that are trained together, their mean."""
    running = [run for run in trial.runs if run.status is Status.RUNNING and run.epochs]
    shown = running or list(trial.runs[-1:])
    worker = trial.worker or NONE
    if not shown:
        return [worker, str(trial.number), NONE, "starting", NONE, NONE, NONE, trial.label]
    last = [run.epochs[-1] for run in shown if run.epochs]
    seconds = [epoch.seconds for run in shown for epoch in run.epochs[-LATEST_EPOCHS:]]
    return [
        worker,
        str(trial.number),
        _seeds(shown),
        f"{max((epoch.epoch for epoch in last), default=0)}/{trial.recipe.epochs}",
        loss(fmean(epoch.train_loss_eval for epoch in last) if last else None),
        loss(fmean(epoch.val_loss for epoch in last) if last else None),
        f"{fmean(seconds):.2f}" if seconds else NONE,
        trial.label,
    ]


def _seeds(runs: Sequence[TrainingRun]) -> str:
    return str(runs[0].seed) if len(runs) == 1 else f"{runs[0].seed}–{runs[-1].seed}"


def _ended(watched: Watched) -> list[str]:
    return [f"trial {trial.number:>3}  {ending(trial)}  {trial.label}" for trial in watched.last]
