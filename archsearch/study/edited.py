"""A search goes on with an edited space."""

from collections.abc import Collection
from dataclasses import replace

from archsearch.errors import SearchConflict
from archsearch.records import Status, TrainingRun
from archsearch.space import Edit, SearchSpace
from archsearch.study.candidates import seeds_of
from archsearch.study.record import Record
from archsearch.study.store import edit_since


def go_on_with(record: Record, space: SearchSpace, *, continue_: bool) -> Edit:
    """Have a search that this process holds go on with `space`; what that changes, which may be nothing.

    Nothing trained is lost. Trials that wait are proposed again, those under way go on, but for trials of a
    family that is removed: they end as skipped.

    Words that are no part of a search's identity, such as ``search.hours``, are no edit. What they say now is
    recorded all the same: whoever reads the record goes by it.

    Parameters
    ----------
    record : Record
        Open for writing, its session begun.
    space : SearchSpace
    continue_ : bool
        Whether the user agrees to changes.

    Raises
    ------
    SearchConflict
        If the search can't go on with the space: another process has edited it meanwhile.
    """
    header = record.header()
    edit = edit_since(header, space)
    present = replace(
        header,
        fingerprint=space.fingerprint,
        space=space.model_dump(mode="json", exclude_none=True),
        identity=space.identity,
        space_text=space.text,
    )
    if not edit.words:
        if (present.space, present.space_text) != (header.space, header.space_text):
            record.put_words(present)
            _mirror_again(record)
        return edit
    if edit.refused or not continue_:
        raise SearchConflict(f"search {header.id} was edited by another process: run the same command again")
    removed = header.space["families"].keys() - space.families.named.keys()
    _skip_unfinished(record, removed, seeds_of(space))
    record.change_space(present, edit.words)
    _mirror_again(record)
    return edit


def _mirror_again(record: Record) -> None:
    if mirrored := record.mirrored():
        record.set_mirrored(replace(mirrored, is_closed=False))


def _skip_unfinished(record: Record, families: Collection[str], seeds: tuple[int, ...]) -> None:
    """Have trials under way of removed families end with what they have."""
    proposed = {proposal.trial for family in families for proposal in record.proposals(family)}
    for trial in record.trials()[0]:
        done = [run for run in trial.runs if run.status.has_ended]
        may_follow = len(done) < len(seeds) and all(run.status.has_result for run in done)
        if trial.number in proposed and trial.status is Status.RUNNING and may_follow:
            reason = f"families.{trial.family} was removed from the space"
            record.add_run(trial.number, TrainingRun(seeds[len(done)], Status.SKIPPED, reason=reason))
