import math
from dataclasses import replace

import numpy as np
import pytest
from curve_shapes import (
    DATA,
    LINEAR,
    SHAPES,
    good,
    overfit,
    run_of,
    settling,
    still_falling,
    trial_of,
    underfit,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.diagnosis import Curves, Diagnosis, Verdict, diagnose_trials
from archsearch.ranking import TIERS, leader, rank, score_noise, tier
from archsearch.records import Status

TRIALS = [
    trial_of(number, shape(seed=number), score=value)
    for number, (shape, value) in enumerate(
        (shape, value) for shape in SHAPES.values() for value in (0.3, 0.1, 0.3)
    )
]
DIAGNOSES = diagnose_trials(TRIALS, DATA, LINEAR)


def ranked(trials, linear=LINEAR):
    return rank(trials, diagnose_trials(trials, DATA, linear))


def diagnosis(verdict, delivered):
    return Diagnosis(verdict, delivered, (), (), 1, ())


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.permutations(TRIALS))
def test_the_order_of_trials_given_does_not_matter(trials):
    assert [each.trial.number for each in rank(trials, DIAGNOSES)] == [
        each.trial.number for each in rank(TRIALS, DIAGNOSES)
    ]


def test_the_order_is_total_by_tier_then_score_then_number():
    ranking = rank(TRIALS, DIAGNOSES)
    keys = [(tier(each.diagnosis), each.score, each.trial.number) for each in ranking]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(TRIALS)
    assert [each.rank for each in ranking] == list(range(1, len(TRIALS) + 1))


def test_every_verdict_has_a_tier():
    assert set(TIERS) == set(Verdict)


def test_good_weights_of_a_faulty_run_rank_below_good_and_above_faulty_ones():
    assert tier(diagnosis(Verdict.OVERFIT, Verdict.GOOD)) == 2
    assert tier(diagnosis(Verdict.DIVERGED, Verdict.GOOD)) == 2
    assert tier(diagnosis(Verdict.OVERFIT, Verdict.OVERFIT)) == 3
    assert tier(diagnosis(Verdict.GOOD, Verdict.GOOD)) == 1


def test_a_verdict_counts_before_the_score():
    ranking = ranked([trial_of(0, good(), score=0.4), trial_of(1, still_falling(), score=0.2)])
    assert [each.trial.number for each in ranking] == [0, 1]
    assert "counts before the score" in ranking[1].reason


def test_a_small_gap_earns_nothing():
    close = Curves(settling(60, 0.3), settling(60, 0.301), settling(60, 0.3))
    wide = Curves(settling(60, 0.2), settling(60, 0.26), settling(60, 0.2))
    first, second = ranked([trial_of(0, close), trial_of(1, wide)])
    assert (first.trial.number, second.trial.number) == (1, 0)
    assert first.gap > second.gap


def test_only_completed_trials_with_a_finite_score_are_ranked():
    trials = [
        trial_of(0, good()),
        trial_of(1, good(), status=Status.PRUNED),
        trial_of(2, good(), status=Status.FAILED),
        trial_of(3, good(), status=Status.RUNNING),
        trial_of(4, good(), score=math.nan),
        trial_of(5, Curves([np.nan] * 9, [np.nan] * 9)),
    ]
    assert [each.trial.number for each in ranked(trials)] == [0]


def test_the_stored_score_is_the_one_that_counts():
    assert ranked([trial_of(0, good(), score=0.123)])[0].score == 0.123


def test_losses_are_those_of_the_delivered_epoch_averaged_over_runs():
    runs = tuple(run_of(overfit(seed=seed), seed=seed) for seed in range(2))
    each = ranked([trial_of(0, runs=runs)])[0]
    assert each.val_loss == pytest.approx(np.mean([run.delivered.val_loss for run in runs]))
    assert each.gap == pytest.approx(
        np.mean([run.delivered.val_loss - run.delivered.train_loss_eval for run in runs])
    )


def test_a_difference_within_noise_is_said_to_be_one():
    ranking = ranked([trial_of(0, good(), score=0.2200), trial_of(1, good(), score=0.2201)])
    assert "cannot be told apart from rank 1 on 2000 validation samples" in ranking[1].reason
    assert (
        "told apart" not in ranked([trial_of(0, good(), score=0.1), trial_of(1, good(), score=0.4)])[1].reason
    )


def test_without_a_known_spread_nothing_is_called_noise():
    runs = (replace(run_of(good()), val_loss_spread=None),)
    ranking = ranked([trial_of(0, runs=runs, score=0.22), trial_of(1, runs=runs, score=0.22)])
    assert "told apart" not in ranking[1].reason


def test_the_noise_between_seeds_counts_beside_that_of_the_samples():
    def seeds_at(*scores):
        return tuple(
            run_of(good(), [(value, value)] * 60, seed=seed, val_loss_spread=0.4)
            for seed, value in enumerate(scores)
        )

    one = trial_of(0, runs=seeds_at(0.10, 0.20, 0.30), score=0.20)
    other = trial_of(1, runs=seeds_at(0.22, 0.28), score=0.25)
    first, second = ranked([one, other])
    noise = score_noise(first, second)
    # Variances of the two means over seeds, and of the mean over 2000 samples.
    assert noise.error**2 == pytest.approx(0.01 / 3 + 0.0018 / 2 + 0.16 / 2000)
    assert "cannot be told apart from rank 1 between 2 seeds and on 2000 validation samples" in second.reason
    unsampled = [
        replace(trial, runs=tuple(replace(run, val_loss_spread=None) for run in trial.runs))
        for trial in (one, other)
    ]
    assert score_noise(*ranked(unsampled)).source == "between 2 seeds"


def test_a_single_seed_on_either_side_says_nothing_of_seeds():
    runs = tuple(run_of(good(seed=seed), seed=seed) for seed in range(2))
    ranking = ranked([trial_of(0, runs=runs, score=0.22), trial_of(1, good(), score=0.221)])
    assert score_noise(*ranking).source == "on 2000 validation samples"
    assert score_noise(*ranking).error == pytest.approx(0.4 / math.sqrt(2000))


def test_reasons_name_the_seeds_that_have_the_verdict():
    runs = tuple(run_of(shape(), seed=seed) for seed, shape in enumerate((good, overfit, good)))
    (each,) = ranked([trial_of(0, runs=runs)])
    assert each.reason.startswith("Good in 2 of 3 seeds: validation loss")


def test_a_stopped_trial_is_ranked_as_a_completed_one():
    stopped = trial_of(1, good(), status=Status.STOPPED, score=0.2)
    assert [each.trial.number for each in ranked([trial_of(0, good(), score=0.3), stopped])] == [1, 0]


def test_reasons_give_the_evidence():
    ranking = ranked([trial_of(0, good()), trial_of(1, underfit()), trial_of(2, overfit())])
    reasons = {each.trial.number: each.reason for each in ranking}
    assert reasons[0].startswith("Good: validation loss had settled")
    assert "of the way from the class frequencies" in reasons[1]
    assert reasons[2].startswith("Overfit, with good weights delivered: validation loss rose")


def test_nothing_to_rank_is_an_empty_ranking():
    assert rank([], {}) == ()


def test_the_leader_is_the_first_of_the_ranking_by_stored_verdicts():
    trials = [
        replace(TRIALS[number], number=number, score=score, verdict=verdict, delivered=delivered)
        for number, (score, verdict, delivered) in enumerate(
            [
                (0.1, "unstable", "unstable"),
                (0.3, "good", "good"),
                (0.2, "overfit", "good"),
                (None, "not_judged", "not_judged"),
            ]
        )
    ]
    assert leader(trials).number == 1
    assert leader([trials[0], trials[2], trials[3]]).number == 2
    assert leader([trials[3]]) is None
