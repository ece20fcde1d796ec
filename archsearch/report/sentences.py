"""The outcome of a search in sentences."""

from collections import Counter
from collections.abc import Sequence

from archsearch.ranking import Ranked, why_first
from archsearch.records import Reference, SearchSnapshot
from archsearch.report.values import RankingRow
from archsearch.report.words import count, listing, loss, percent_below

STATUS_WORDS = {
    "running": "The search is still running.",
    "finished": "The search is complete.",
    "hours_reached": "The search stopped at its time limit.",
    "interrupted": "The search was interrupted; repeating the command goes on from here.",
    "all_failed": "Every trial failed.",
    "given_up": "The search gave up: its last trials all failed for the same reason.",
}


def headline(rows: Sequence[RankingRow], references: Sequence[Reference]) -> str:
    """The outcome in one sentence: what comes first, and how it compares with the last reference."""
    if not rows:
        return "No trial ran to its end, so there is nothing to rank yet."
    first = rows[0]
    kind = (
        "a good model" if first.verdict == "good" else f"a model judged “{first.verdict.replace('_', ' ')}”"
    )
    text = f"Trial {first.trial} comes first: {kind} with a validation loss of {loss(first.val_loss)}"
    if not references:
        return f"{text}."
    return (
        f"{text}, {percent_below(first.val_loss, references[-1].val_loss)} that of the {references[-1].name}."
    )


def sentences(
    snapshot: SearchSnapshot, ranking: Sequence[Ranked], statuses: Counter[str], good: int
) -> tuple[str, ...]:
    """What was searched and what came of it; then why the first is first."""
    searched = f"{_searched(snapshot)}{_ended(statuses, is_running=snapshot.status == 'running')}."
    if not ranking:
        return (searched,)
    return (
        f"{searched} {_good_words(good, len(ranking))}",
        why_first(ranking, snapshot.references),
    )


def _searched(snapshot: SearchSnapshot) -> str:
    trials = count(len(snapshot.trials), "trial")
    if len(snapshot.trials) < snapshot.total:
        trials += f" of {snapshot.total} planned"
    families = sorted({trial.family for trial in snapshot.trials})
    if not families:
        return f"Searched on {snapshot.data.source}: {trials}"
    noun = "family" if len(families) == 1 else "families"
    return f"Searched on {snapshot.data.source}: {trials} in the {noun} {listing(families)}"


def _ended(statuses: Counter[str], *, is_running: bool) -> str:
    words = ("completed", "stopped", "pruned", "skipped", "failed")
    ended = [f"{statuses[word]} {word}" for word in words if statuses[word]]
    if begun := statuses["running"]:
        ended.append(f"{begun} {'running' if is_running else 'begun, to go on at the next run'}")
    return f", {listing(ended)}" if ended else ""


def _good_words(good: int, ranked: int) -> str:
    if good == 0:
        return f"None of the {count(ranked, 'ranked model')} is good: the first is the least faulty of them."
    verb = "is" if good == 1 else "are"
    return f"{good} of {count(ranked, 'ranked model')} {verb} good."
