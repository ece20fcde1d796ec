"""Everything the report says, computed once as frozen values; nothing here draws or writes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from archsearch.diagnosis import Diagnosis, Finding
from archsearch.ranking import Ranked, indistinguishable, tier, why_first
from archsearch.records import DataSummary, Reference, SearchSnapshot, Status, TrainingRun, TrialResult
from archsearch.report.words import NOT_JUDGED, count, listing, loss, percent_below

STATUS_WORDS = {
    "running": "The search is still running.",
    "finished": "The search is complete.",
    "hours_reached": "The search stopped at its time limit.",
    "interrupted": "The search was interrupted; repeating the command goes on from here.",
    "all_failed": "Every trial failed.",
}


@dataclass(frozen=True, slots=True)
class Curve:
    """The losses of one training, epoch by epoch.

    Attributes
    ----------
    seed : int
    epochs : tuple of int
    train, val : tuple of float
        In inference mode, without penalties; may hold NaN or infinity.
    delivered_epoch : int or None
    """

    seed: int
    epochs: tuple[int, ...]
    train: tuple[float, ...]
    val: tuple[float, ...]
    delivered_epoch: int | None


@dataclass(frozen=True, slots=True)
class RankingRow:
    """One line of the ranking: a trial, or a reference without rank and trial number.

    Attributes
    ----------
    level : bool
        Whether the data cannot tell its score from that of the first, which is in the same tier.
    """

    rank: int | None
    trial: int | None
    level: bool
    label: str
    family: str
    verdict: str
    score: float | None
    val_loss: float
    gap: float | None
    val_accuracy: float
    parameters: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class TrialCard:
    """What is shown of one trial, whatever became of it.

    Attributes
    ----------
    delivers : str or None
        Verdict of the delivered weights, where it is not that of the whole run.
    val_loss, gap, val_accuracy : float or None
        At the delivered epoch, as ranked; else of the first training, None where there is none.
    ending : str
        Why it ended as it did, where it was pruned, failed or stopped early; else empty.
    findings : tuple of Finding
        Faults first, then flags, then the rest.
    """

    number: int
    rank: int | None
    name: str | None
    notation: str
    family: str
    status: Status
    verdict: str
    delivers: str | None
    score: float | None
    val_loss: float | None
    gap: float | None
    val_accuracy: float | None
    parameters: int
    seconds: float
    epochs_done: int
    epochs_planned: int
    ending: str
    flags: tuple[str, ...]
    findings: tuple[Finding, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """How one family fared."""

    family: str
    trials: int
    completed: int
    good: int
    best: RankingRow | None


@dataclass(frozen=True, slots=True)
class FlagNote:
    """A flag that was raised, what it says in one case, and the trials that carry it."""

    code: str
    title: str
    example: str
    trials: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """The content of the report.

    Attributes
    ----------
    headline : str
        The outcome in one sentence.
    sentences : tuple of str
        What was searched and how the first compares, in words.
    ranking : tuple of RankingRow
        Completed trials, the best first.
    reference_rows : tuple of RankingRow
        Class frequencies and linear model, the lower validation loss first.
    cards : tuple of TrialCard
        Every trial: ranked ones by rank, then the pruned, then the failed.
    verdicts : mapping of str to int
        Trials per verdict, the most frequent first.
    tracking_link : str or None
        Where the runs are shown; printed as text only.
    """

    name: str
    id: str
    created: str
    status: str
    total: int
    completed: int
    pruned: int
    failed: int
    good: int
    wall_seconds: float
    training_seconds: float
    headline: str
    sentences: tuple[str, ...]
    ranking: tuple[RankingRow, ...]
    reference_rows: tuple[RankingRow, ...]
    families: tuple[FamilyRow, ...]
    verdicts: Mapping[str, int]
    flags: tuple[FlagNote, ...]
    cards: tuple[TrialCard, ...]
    data: DataSummary
    space_text: str
    versions: Mapping[str, str]
    command: str
    rules_version: str | None
    tracking_link: str | None

    @property
    def best(self) -> RankingRow | None:
        """The first of the ranking."""
        return next(iter(self.ranking), None)

    @property
    def has_level(self) -> bool:
        """Whether the data cannot tell some other trial's score from that of the first."""
        return any(row.level for row in self.ranking)

    @property
    def pruned_cards(self) -> tuple[TrialCard, ...]:
        """The trials that the search ended early."""
        return tuple(card for card in self.cards if card.status is Status.PRUNED)

    @property
    def failed_cards(self) -> tuple[TrialCard, ...]:
        """The trials without a result to rank."""
        return tuple(card for card in self.cards if card.status.is_failure)


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
        _card(trial, diagnoses.get(trial.number), ranks.get(trial.number)) for trial in snapshot.trials
    )
    statuses = Counter(_outcome(trial.status) for trial in snapshot.trials)
    judged = Counter(card.verdict for card in cards)
    return ReportSummary(
        name=snapshot.name,
        id=snapshot.id,
        created=datetime.fromtimestamp(snapshot.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        status=STATUS_WORDS.get(snapshot.status, snapshot.status),
        total=snapshot.total,
        completed=statuses["completed"],
        pruned=statuses["pruned"],
        failed=statuses["failed"],
        good=judged["good"],
        wall_seconds=snapshot.wall_seconds,
        training_seconds=sum(trial.seconds for trial in snapshot.trials),
        headline=_headline(rows, snapshot.references),
        sentences=_sentences(snapshot, ranking, statuses, judged["good"]),
        ranking=rows,
        reference_rows=tuple(sorted(map(_reference_row, snapshot.references), key=lambda row: row.val_loss)),
        families=_families(cards, rows),
        verdicts=dict(sorted(judged.items(), key=lambda item: (-item[1], item[0]))),
        flags=_flag_notes(cards),
        cards=tuple(sorted(cards, key=_card_order)),
        data=snapshot.data,
        space_text=snapshot.space_text,
        versions=snapshot.versions,
        command=snapshot.command,
        rules_version=next((str(diagnosis.rules_version) for diagnosis in diagnoses.values()), None),
        tracking_link=tracking_link,
    )


def _outcome(status: Status) -> str:
    return "failed" if status.is_failure else str(status)


def _headline(rows: Sequence[RankingRow], references: Sequence[Reference]) -> str:
    if not rows:
        return "No trial ran to its end, so there is nothing to rank yet."
    first = rows[0]
    kind = "a good model" if first.verdict == "good" else f"a model judged “{first.verdict.replace('_', ' ')}”"
    text = f"{first.label} comes first: {kind} with a validation loss of {loss(first.val_loss)}"
    linear = _linear(references)
    if linear is None:
        return f"{text}."
    return f"{text}, {percent_below(first.val_loss, linear.val_loss)} the {linear.name}’s."


def _sentences(
    snapshot: SearchSnapshot, ranking: Sequence[Ranked], statuses: Counter[str], good: int
) -> tuple[str, ...]:
    families = sorted({trial.family for trial in snapshot.trials})
    searched = (
        f"{count(len(snapshot.trials), 'trial')} of {snapshot.total} planned"
        if len(snapshot.trials) < snapshot.total
        else count(len(snapshot.trials), "trial")
    )
    ended = [f"{n} {word}" for word, n in sorted(statuses.items()) if n]
    sentences = [
        f"Searched on {snapshot.data.source}: {searched}"
        + (f" in the {count(len(families), 'family', 'families')} {listing(families)}" if families else "")
        + (f" – {listing(ended)}." if ended else "."),
    ]
    if ranking:
        sentences.append(_good_words(good, len(ranking)))
        sentences.append(why_first(ranking, snapshot.references, snapshot.data))
    return tuple(sentence for sentence in sentences if sentence)


def _good_words(good: int, ranked: int) -> str:
    if good == 0:
        return f"None of the {count(ranked, 'ranked model')} is good: the first is the least faulty of them."
    verb = "is" if good == 1 else "are"
    return f"{good} of {count(ranked, 'ranked model')} {verb} good."


def _linear(references: Sequence[Reference]) -> Reference | None:
    """The strongest reference: the linear model, by the order in which a snapshot holds them."""
    return references[-1] if references else None


def _ranking_row(ranked: Ranked, first: Ranked) -> RankingRow:
    trial = ranked.trial
    return RankingRow(
        rank=ranked.rank,
        trial=trial.number,
        level=ranked is not first and _is_level(first, ranked),
        label=trial.label,
        family=trial.family,
        verdict=str(ranked.diagnosis.verdict),
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
        score=None,
        val_loss=reference.val_loss,
        gap=reference.gap,
        val_accuracy=reference.val_accuracy,
        parameters=reference.parameters,
        seconds=reference.seconds,
        reason="no network: what any network has to beat",
    )


def _card(trial: TrialResult, diagnosis: Diagnosis | None, ranked: Ranked | None) -> TrialCard:
    run = trial.runs[0] if trial.runs else None
    delivered = run.delivered if run else None
    return TrialCard(
        number=trial.number,
        rank=ranked.rank if ranked else None,
        name=trial.name,
        notation=trial.architecture.notation,
        family=trial.family,
        status=trial.status,
        verdict=str(diagnosis.verdict) if diagnosis else NOT_JUDGED,
        delivers=str(diagnosis.delivered) if diagnosis and diagnosis.delivered != diagnosis.verdict else None,
        score=ranked.score if ranked else None,
        val_loss=ranked.val_loss if ranked else delivered and delivered.val_loss,
        gap=ranked.gap if ranked else delivered and delivered.val_loss - delivered.train_loss_eval,
        val_accuracy=ranked.val_accuracy if ranked else delivered and delivered.val_accuracy,
        parameters=trial.parameters,
        seconds=trial.seconds,
        epochs_done=max((len(run.epochs) for run in trial.runs), default=0),
        epochs_planned=trial.recipe.epochs,
        ending=_ending(trial),
        flags=tuple(map(str, diagnosis.flags)) if diagnosis else (),
        findings=tuple(sorted(diagnosis.findings, key=_finding_order)) if diagnosis else (),
        curves=tuple(_curve(run) for run in trial.runs),
    )


def _ending(trial: TrialResult) -> str:
    reasons = [run.reason for run in trial.runs if run.reason]
    if reasons:
        return "; ".join(dict.fromkeys(reasons))
    if trial.status.is_failure or trial.status is Status.PRUNED:
        return "no reason was recorded"
    return "stopped early" if any(run.stopped_early for run in trial.runs) else ""


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
    groups = {"completed": 0, "running": 1, "pruned": 2, "failed": 3}
    return groups[_outcome(card.status)], card.rank or 0, card.number


def _families(cards: Sequence[TrialCard], rows: Sequence[RankingRow]) -> tuple[FamilyRow, ...]:
    """Families by the rank of their first."""
    table = [
        FamilyRow(
            family=family,
            trials=sum(card.family == family for card in cards),
            completed=sum(card.family == family and card.status is Status.COMPLETED for card in cards),
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
        FlagNote(code, cases[0][1].title, cases[0][1].message, tuple(number for number, _ in cases))
        for code, cases in sorted(raised.items())
    )

