"""The content of a report as frozen values: what is said, before anything is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

from archsearch.diagnosis import Finding
from archsearch.records import DataSummary, Status


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
    confidence : float or None
        Probability that the verdict is right.
    agreement : str
        Of several seeds, how many have that verdict: ``"2 of 3"``; else empty.
    """

    rank: int | None
    trial: int | None
    level: bool
    label: str
    family: str
    verdict: str
    confidence: float | None
    agreement: str
    score: float | None
    val_loss: float
    gap: float | None
    val_accuracy: float
    parameters: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class NextTrial:
    """A remedy in a few words, and the architecture or recipe that it changes, in one line as it would be.

    The line is empty where the title says it all.
    """

    title: str
    notation: str


@dataclass(frozen=True, slots=True)
class TrialCard:
    """What is shown of one trial, whatever became of it.

    Attributes
    ----------
    confidence : float or None
        Probability that the verdict is right.
    agreement : str
        Of several seeds, how many have that verdict: ``"2 of 3"``; else empty.
    delivers : str or None
        Verdict of the delivered weights, where it is not that of the whole run.
    val_loss, gap, val_accuracy : float or None
        At the delivered epoch, as ranked; else of the first training, None where there is none.
    spread : float or None
        Standard deviation of `val_loss` between seeds; None below two.
    ending : str
        Why it ended as it did, where it was pruned, skipped, failed or stopped early; else empty.
    findings : tuple of Finding
        Faults first, then flags, then the rest.
    next_trials : tuple of NextTrial
        What to try against its fault, the first thing first; empty where there is none.
    """

    number: int
    rank: int | None
    name: str | None
    notation: str
    recipe: str
    family: str
    status: Status
    verdict: str
    confidence: float | None
    agreement: str
    delivers: str | None
    score: float | None
    val_loss: float | None
    spread: float | None
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
    next_trials: tuple[NextTrial, ...]


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
class SpaceEdit:
    """An edit of the space: the first trial after it, when it was, and what it changed, a line each."""

    trial: int
    when: str
    words: tuple[str, ...]


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
        Every trial: ranked ones by rank, then the pruned, the skipped and the failed.
    verdicts : mapping of str to int
        Trials per verdict, the most frequent first.
    edits : tuple of SpaceEdit
        Of the space while it was searched, the oldest first.
    seeds : int
        With how many seeds architectures were trained.
    tracking_link : str or None
        Where the runs are shown; printed as text only.
    """

    name: str
    id: str
    created: str
    status: str
    total: int
    completed: int
    stopped: int
    pruned: int
    skipped: int
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
    edits: tuple[SpaceEdit, ...]
    versions: Mapping[str, str]
    command: str
    rules_version: str | None
    seeds: int
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
    def ranked_verdicts(self) -> frozenset[str]:
        """The verdicts that occur in the ranking."""
        return frozenset(row.verdict for row in self.ranking)

    @property
    def has_endings(self) -> bool:
        """Whether a trial has ended without being ranked."""
        return bool(self.pruned or self.skipped or self.failed)

    @property
    def pruned_cards(self) -> tuple[TrialCard, ...]:
        """The trials that the search ended early."""
        return tuple(card for card in self.cards if card.status is Status.PRUNED)

    @property
    def skipped_cards(self) -> tuple[TrialCard, ...]:
        """The trials that a person ended."""
        return tuple(card for card in self.cards if card.status is Status.SKIPPED)

    @property
    def failed_cards(self) -> tuple[TrialCard, ...]:
        """The trials without a result to rank."""
        return tuple(card for card in self.cards if card.status.is_failure)
