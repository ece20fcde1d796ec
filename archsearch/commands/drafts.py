"""How long a search will take, from one that ran: for ``archsearch check``."""

from contextlib import suppress
from pathlib import Path

from archsearch.errors import Refused, StoreError
from archsearch.execution.slots import workers_of
from archsearch.records import Status, TrialResult
from archsearch.report.words import count, duration
from archsearch.space import SearchSpace
from archsearch.study import Record, Store


def draft(space: SearchSpace, store: Path) -> str:
    """A sentence on the time of a whole search here; empty where no search of `space` has ended a trial.

    Every trial that ended counts, pruned and failed ones too: the next search will have its share of them.
    """
    newest: tuple[float, str, list[TrialResult], int] | None = None
    for place in Store(store).searches():
        if not place.id.startswith(f"{space.name}-{space.fingerprint}"):
            continue
        with suppress(StoreError), Record.open(place.record, read_only=True) as record:
            created_at = record.header().created_at
            ended = [trial for trial in record.trials()[0] if trial.status is not Status.RUNNING]
            workers = max((session.workers for session in record.sessions()), default=0)
            if ended and workers and (newest is None or created_at > newest[0]):
                newest = (created_at, place.id, ended, workers)
    if newest is None:
        return ""
    try:
        return _sentence(space, workers_of(space.execution), *newest[1:])
    except Refused:  # the space is for a machine with other GPUs
        return ""


def _sentence(space: SearchSpace, now: int, search: str, ended: list[TrialResult], workers: int) -> str:
    each = sum(trial.seconds for trial in ended) / len(ended)
    whole = each * space.trials / min(now, space.trials)
    rests = f"from the {duration(each)} that each of {count(len(ended), 'trial')} of {search} took"
    changed = (
        ""
        if workers == now
        else f" with {count(workers, 'worker')}: with {now} each may take longer or shorter"
    )
    return (
        f"{count(space.trials, 'trial')}, about {duration(whole)} with {count(now, 'worker')}, "
        f"{rests} on average{changed}"
    )
