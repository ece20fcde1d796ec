"""From a search's snapshot to the content of its report; nothing here draws or writes."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from archsearch.diagnosis import Diagnosis, Finding
from archsearch.ranking import Ranked, indistinguishable, tier
from archsearch.records import (
    DataSummary,
    EpochRecord,
    Reference,
    SearchSnapshot,
    Status,
    TrainingRun,
    TrialResult,
)
from archsearch.report.next_trials import next_trials
from archsearch.report.sentences import STATUS_WORDS, headline, sentences
from archsearch.report.values import (
    Curve,
    FamilyRow,
    FlagNote,
    RankingRow,
    ReportSummary,
    SpaceEdit,
    TrialCard,
)
from archsearch.report.words import NOT_JUDGED, listing


def summarise(
    snapshot: SearchSnapshot,
    diagnoses: Mapping[int, Diagnosis],
    ranking: Sequence[Ranked],
    *,
    tracking_link: str | None = None,
) -> ReportSummary:
    """Compute what the report says.

    Parameters
    ----------
    snapshot : SearchSnapshot
    diagnoses : mapping of int to Diagnosis
        By trial number; a trial without one is shown as not judged.
    ranking : sequence of Ranked
        Completed trials, the best first.
    tracking_link : str, optional
        Address of the search in the tracking server.
    """
    rows = tuple(_ranking_row(ranked, ranking[0]) for ranked in ranking)
    ranks = {ranked.trial.number: ranked for ranked in ranking}
    cards = tuple(
        _card(trial, diagnoses.get(trial.number), ranks.get(trial.number), snapshot.data)
        for trial in snapshot.trials
    )
    statuses = Counter(_outcome(trial.status) for trial in snapshot.trials)
    judged = Counter(card.verdict for card in cards)
    return ReportSummary(
        name=snapshot.name,
        id=snapshot.id,
        created=_when(snapshot.created_at),
        status=STATUS_WORDS.get(snapshot.status, snapshot.status),
        total=snapshot.total,
        completed=statuses["completed"],
        stopped=statuses["stopped"],
        pruned=statuses["pruned"],
        skipped=statuses["skipped"],
        failed=statuses["failed"],
        good=judged["good"],
        wall_seconds=snapshot.wall_seconds,
        training_seconds=sum(trial.seconds for trial in snapshot.trials),
        headline=headline(rows, snapshot.references),
        sentences=sentences(snapshot, ranking, statuses, judged["good"]),
        ranking=rows,
        reference_rows=tuple(sorted(map(_reference_row, snapshot.references), key=lambda row: row.val_loss)),
        families=_families(cards, rows),
        verdicts=dict(sorted(judged.items(), key=lambda item: (-item[1], item[0]))),
        flags=_flag_notes(cards),
        cards=tuple(sorted(cards, key=_card_order)),
        data=snapshot.data,
        space_text=snapshot.space_text,
        edits=tuple(SpaceEdit(change.trial, _when(change.at), change.words) for change in snapshot.changes),
        versions=snapshot.versions,
        command=snapshot.command,
        rules_version=next((str(diagnosis.rules_version) for diagnosis in diagnoses.values()), None),
        seeds=max((len(ranked.trial.runs) for ranked in ranking), default=1),
        tracking_link=tracking_link,
    )


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _outcome(status: Status) -> str:
    return "failed" if status.is_failure else str(status)


def _ranking_row(ranked: Ranked, first: Ranked) -> RankingRow:
    trial = ranked.trial
    return RankingRow(
        rank=ranked.rank,
        trial=trial.number,
        level=ranked is not first and _is_level(first, ranked),
        label=trial.label,
        family=trial.family,
        verdict=str(ranked.diagnosis.verdict),
        confidence=ranked.diagnosis.confidence,
        agreement=_agreement(ranked.diagnosis),
        score=ranked.score,
        val_loss=ranked.val_loss,
        gap=ranked.gap,
        val_accuracy=ranked.val_accuracy,
        parameters=trial.parameters,
        seconds=trial.seconds,
        reason=ranked.reason,
    )


def _is_level(first: Ranked, other: Ranked) -> bool:
    return tier(first.diagnosis) == tier(other.diagnosis) and indistinguishable(first, other)


def _reference_row(reference: Reference) -> RankingRow:
    return RankingRow(
        rank=None,
        trial=None,
        level=False,
        label=reference.name,
        family="reference",
        verdict="reference",
        confidence=None,
        agreement="",
        score=None,
        val_loss=reference.val_loss,
        gap=reference.gap,
        val_accuracy=reference.val_accuracy,
        parameters=reference.parameters,
        seconds=reference.seconds,
        reason="what any network has to beat",
    )


def _card(
    trial: TrialResult, diagnosis: Diagnosis | None, ranked: Ranked | None, data: DataSummary
) -> TrialCard:
    run = trial.runs[0] if trial.runs else None
    val_loss, gap, val_accuracy = _measured(ranked, run.delivered if run else None)
    return TrialCard(
        number=trial.number,
        rank=ranked.rank if ranked else None,
        name=trial.name,
        notation=trial.architecture.notation,
        recipe=trial.recipe.notation,
        family=trial.family,
        status=trial.status,
        verdict=str(diagnosis.verdict) if diagnosis else NOT_JUDGED,
        confidence=diagnosis.confidence if diagnosis else None,
        agreement=_agreement(diagnosis),
        delivers=str(diagnosis.delivered) if diagnosis and diagnosis.delivered != diagnosis.verdict else None,
        score=ranked.score if ranked else None,
        val_loss=val_loss,
        spread=_spread(diagnosis),
        gap=gap,
        val_accuracy=val_accuracy,
        parameters=trial.parameters,
        seconds=trial.seconds,
        epochs_done=max((len(run.epochs) for run in trial.runs), default=0),
        epochs_planned=trial.recipe.epochs,
        ending=_ending(trial),
        flags=tuple(map(str, diagnosis.flags)) if diagnosis else (),
        findings=tuple(sorted(diagnosis.findings, key=_finding_order)) if diagnosis else (),
        curves=tuple(_curve(run) for run in trial.runs),
        next_trials=next_trials(trial, diagnosis, data),
    )


def _agreement(diagnosis: Diagnosis | None) -> str:
    return diagnosis.agreement.words if diagnosis and diagnosis.agreement else ""


def _spread(diagnosis: Diagnosis | None) -> float | None:
    spread = diagnosis.agreement.spread if diagnosis and diagnosis.agreement else math.nan
    return spread if math.isfinite(spread) else None


def _measured(
    ranked: Ranked | None, delivered: EpochRecord | None
) -> tuple[float | None, float | None, float | None]:
    """Validation loss, gap and validation accuracy, from the ranking where the trial is in it."""
    if ranked is not None:
        return ranked.val_loss, ranked.gap, ranked.val_accuracy
    if delivered is None:
        return None, None, None
    return delivered.val_loss, delivered.val_loss - delivered.train_loss_eval, delivered.val_accuracy


def _ending(trial: TrialResult) -> str:
    reasons = {run.seed: run.reason for run in trial.runs if run.reason}
    if reasons:
        return _by_seed(reasons) if len(trial.runs) > 1 else next(iter(reasons.values()))
    if trial.status.is_failure or trial.status in (Status.PRUNED, Status.SKIPPED):
        return "no reason was recorded"
    return "stopped early" if any(run.early_stopped for run in trial.runs) else ""


def _by_seed(reasons: Mapping[int, str]) -> str:
    seeds: dict[str, list[str]] = {}
    for seed, reason in reasons.items():
        seeds.setdefault(reason, []).append(str(seed))
    return "; ".join(
        f"{'seed' if len(alike) == 1 else 'seeds'} {listing(alike)}: {reason}"
        for reason, alike in seeds.items()
    )


def _curve(run: TrainingRun) -> Curve:
    return Curve(
        seed=run.seed,
        epochs=tuple(record.epoch for record in run.epochs),
        train=tuple(record.train_loss_eval for record in run.epochs),
        val=tuple(record.val_loss for record in run.epochs),
        delivered_epoch=run.delivered_epoch,
    )


def _finding_order(finding: Finding) -> int:
    return ("fault", "flag", "ok", "not_applicable").index(finding.outcome)


def _card_order(card: TrialCard) -> tuple[int, int, int]:
    groups = {"completed": 0, "stopped": 0, "running": 1, "pruned": 2, "skipped": 3, "failed": 4}
    return groups[_outcome(card.status)], card.rank or 0, card.number


def _families(cards: Sequence[TrialCard], rows: Sequence[RankingRow]) -> tuple[FamilyRow, ...]:
    """Families by the rank of their first."""
    table = [
        FamilyRow(
            family=family,
            trials=sum(card.family == family for card in cards),
            completed=sum(card.family == family and card.status.has_result for card in cards),
            good=sum(card.family == family and card.verdict == "good" for card in cards),
            best=next((row for row in rows if row.family == family), None),
        )
        for family in sorted({card.family for card in cards})
    ]
    return tuple(sorted(table, key=lambda row: (row.best.rank or 0) if row.best else len(rows) + 1))


def _flag_notes(cards: Sequence[TrialCard]) -> tuple[FlagNote, ...]:
    raised: dict[str, list[tuple[int, Finding]]] = {}
    for card in cards:
        for finding in card.findings:
            if finding.outcome == "flag":
                raised.setdefault(finding.code, []).append((card.number, finding))
    return tuple(
        FlagNote(
            code,
            (cases[0][1].flag or cases[0][1].title).replace("_", " "),
            cases[0][1].message,
            tuple(number for number, _ in cases),
        )
        for code, cases in sorted(raised.items())
    )
