"""Whether the verdict of a training that still runs is settled, so that it may be ended."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from archsearch.diagnosis import features
from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.reading import Reading, finite_until, read
from archsearch.diagnosis.values import Context, Curves, Finding, Verdict, as_losses
from archsearch.diagnosis.verdict import diagnose
from archsearch.diagnosis.wording import percent


@dataclass(frozen=True, slots=True)
class Settled:
    """The verdict of a growing curve will not change for the better.

    The verdict of the epochs so far is that of `diagnose`, by the same rules. Whether it lasts is asked of
    stretches that grow with the run, or of the epochs that are left: so many epochs mean one thing in a run
    of 20 and another in one of 1,000.

    Attributes
    ----------
    least : int
        10 epochs, twice as many as a line needs: so that the end can be held against what was before it.
    certainty : float
        2 standard errors of a slope, and twice the typical jump of an epoch: the usual 5 %.
    recent : int
        5 epochs, as many as a line needs: a rise of which one of them has nothing left is made of spikes.
    gain : float
        1 % of the best validation loss: the lower end of the generalization losses, 1 to 5 %, that Prechelt
        (1998, "Early stopping – but when?") explores. Settled is where the epochs left may gain less;
        risen is what lies higher by more.
    worth : float
        A tenth of the planned epochs: to save fewer, settled curves are not cut short.
    waited : float
        Half of the planned epochs. What has not begun after n epochs, and has no pace of its own, begins
        before the Nth with a chance of 1 − n / N (Gott 1993, doi 10.1038/363315a0): from there on one half at
        most, and with less time to be of use than was spent in vain.
    learned : float
        5 % of the first validation loss, as in the rule of what was not learned: a loss that never fell by
        as much has not settled, it has not begun.
    jump : float
        1 % of the loss from epoch to epoch: a lower learning rate calms a loss that jumps about the class
        frequencies', and may wake it. One that lies still is dead.
    """

    code: ClassVar[str] = "AS901"
    title: ClassVar[str] = "Settled"
    least: int = 10
    certainty: float = 2.0
    recent: int = 5
    gain: float = 0.01
    worth: float = 0.1
    waited: float = 0.5
    learned: float = 0.05
    jump: float = 0.01

    def judge(self, curves: Curves, context: Context, *, rate_may_drop: bool) -> Finding | None:
        """Why the training may end with its last epoch; None while it is to go on."""
        epochs = len(as_losses(curves.val_loss))
        if epochs < self.least or finite_until(curves) < epochs:
            return None
        reading = read(curves, context)
        return self._lasting_fault(curves, reading, rate_may_drop) or (
            None if rate_may_drop else self._nothing_left(reading)
        )

    def _lasting_fault(self, curves: Curves, reading: Reading, rate_may_drop: bool) -> Finding | None:
        if _falls(reading.val, reading):
            return None  # before the rules are asked, which takes longer
        diagnosis = diagnose(curves, reading.context, confidence=False)
        deciding = diagnosis.findings[0]
        if diagnosis.verdict is Verdict.OVERFIT and self._is_beyond_repair(reading):
            return _lasting(deciding, f"Overfit beyond repair since epoch {reading.numbers[reading.best]}")
        if diagnosis.verdict is Verdict.DIVERGED and self._stays_up(reading):
            return _lasting(deciding, "Diverged for good")
        if diagnosis.verdict is Verdict.NOT_LEARNING and self._never_begins(reading, rate_may_drop):
            return _lasting(deciding, f"Not learning after {reading.epochs} epochs")
        return None

    def _is_beyond_repair(self, reading: Reading) -> bool:
        """Whether the validation loss is further up than this run has ever come back from, and stays there.

        What a lower rate regains is the jumps of the weights about their mean, in both losses alike. The gap
        that has opened since the best epoch, on which the verdict rests, is none of it.
        """
        least = max(_largest_recovery(reading), self.certainty * float(features.typical_jump(reading.val)))
        return float(reading.rise) > least and self._stays_above(reading.lowest_val, reading.val, reading)

    def _stays_up(self, reading: Reading) -> bool:
        """Whether the train loss was at its lowest in the first half of the run, and stays far above that."""
        best = int(np.argmin(reading.train_trend))
        stays = self._stays_above(reading.train_trend.min(), reading.train, reading)
        return stays and 2 * (best + 1) <= reading.epochs and not _falls(reading.train, reading)

    def _stays_above(self, lowest: FloatArray, losses: FloatArray, reading: Reading) -> bool:
        return bool(np.min(losses[-self.recent :]) - lowest > self.gain * reading.scale)

    def _never_begins(self, reading: Reading, rate_may_drop: bool) -> bool:
        planned = reading.context.planned_epochs
        if planned is None or reading.epochs < self.waited * planned:
            return False
        half = [losses[-_half(reading) :] for losses in (reading.val, reading.train, reading.raw_train)]
        begins = any(features.slope(part) < -self.certainty * features.slope_error(part) for part in half)
        jumps = max(float(features.typical_jump(part)) for part in half) > self.jump * reading.scale
        return not begins and not (rate_may_drop and jumps)

    def _nothing_left(self, reading: Reading) -> Finding | None:
        """The finding that both losses have settled, if what is left to do gains next to nothing."""
        planned = reading.context.planned_epochs or 2 * reading.epochs  # as long again
        left = planned - reading.epochs
        if left < self.worth * planned:
            return None
        gains = {
            "val_gain": self._largest_gain(reading.val, reading, left),
            "train_gain": self._largest_gain(reading.train, reading, left),
        }
        first = float(reading.val_trend[0])
        fell = first - float(reading.val_trend[reading.best])
        if max(gains.values()) >= self.gain or fell < self.learned * abs(first):
            return None
        more = "1 more epoch" if left == 1 else f"{left} more epochs"
        message = f"Settled: {more} would lower the validation loss by less than {percent(self.gain)}."
        return Finding(self.code, self.title, "ok", {**gains, "epochs_left": float(left)}, message)

    def _largest_gain(self, losses: FloatArray, reading: Reading, epochs: int) -> float:
        """Most that a loss may yet fall, as a share of the scale: as over the last half, and for chance more.

        Losses that settle slow down, so a straight line promises too much rather than too little. A rise does
        not make up for what is not known.
        """
        half = losses[-_half(reading) :]
        steepest = min(float(features.slope(half)), 0.0) - self.certainty * float(features.slope_error(half))
        return -steepest * epochs / float(reading.scale)


SETTLED = Settled()


def settled(curves: Curves, context: Context | None = None, *, rate_may_drop: bool) -> Finding | None:
    """Why a training that still runs may be ended: its verdict will not change for the better.

    Either the run is overfit beyond repair, has diverged for good, or does not learn; or both losses have
    settled and no drop of the learning rate may make them fall again. Never while the validation loss falls.

    Parameters
    ----------
    curves : Curves
        Of the epochs so far, each shape (epochs,). A last epoch that is not finite, or was not measured,
        settles nothing.
    context : Context, optional
        `planned_epochs` and `prior_entropy` are used; without them not learning is never found.
    rate_may_drop : bool
        Whether the learning rate may yet be lowered: by a schedule, or by who watches the training.

    Returns
    -------
    Finding or None
        That of the rule that found the fault, or with the code AS901. None while the training is to go on.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # as `diagnose`
        return SETTLED.judge(curves, context or Context(), rate_may_drop=rate_may_drop)


def _falls(losses: FloatArray, reading: Reading) -> bool:
    """Whether a line through the last quarter, or through the window of the last level, points down."""
    return any(
        features.slope(losses[-stretch:]) < 0 for stretch in (reading.tail, max(5, reading.level_width))
    )


def _largest_recovery(reading: Reading) -> float:
    """How far the validation loss had once risen, at most, before it fell to its best."""
    until_best = reading.val_trend[: reading.best + 1]
    return float(np.max(until_best - np.minimum.accumulate(until_best)))


def _half(reading: Reading) -> int:
    return math.ceil(reading.epochs / 2)


def _lasting(finding: Finding, what: str) -> Finding:
    return replace(finding, message=f"{what}: {finding.message[0].lower()}{finding.message[1:]}")
