import math
from collections import Counter
from dataclasses import replace
from statistics import stdev

import pytest
from searches import REFERENCES, judged, search

from archsearch.ranking import rank
from archsearch.records import Status, TrainingRun
from archsearch.report.html import render
from archsearch.report.summary import summarise
from archsearch.study import Outcome


@pytest.fixture(scope="module")
def snapshot():
    return search()


@pytest.fixture(scope="module")
def summary(snapshot):
    return summarise(*judged(snapshot))


def test_counts_are_those_of_the_trials(snapshot, summary):
    statuses = Counter(trial.status for trial in snapshot.trials)
    assert summary.completed == statuses[Status.COMPLETED]
    assert summary.pruned == statuses[Status.PRUNED]
    assert summary.failed == sum(n for status, n in statuses.items() if status.is_failure)
    assert summary.training_seconds == pytest.approx(sum(trial.seconds for trial in snapshot.trials))


def test_verdicts_count_every_trial_once(snapshot, summary):
    _, diagnoses, _ = judged(snapshot)
    assert summary.verdicts == Counter(str(diagnosis.verdict) for diagnosis in diagnoses.values())
    assert summary.good == summary.verdicts["good"]
    assert list(summary.verdicts.values()) == sorted(summary.verdicts.values(), reverse=True)


def test_ranking_rows_repeat_the_ranking(snapshot, summary):
    _, _, ranking = judged(snapshot)
    assert [(row.rank, row.trial, row.score, row.gap, row.reason) for row in summary.ranking] == [
        (each.rank, each.trial.number, each.score, each.gap, each.reason) for each in ranking
    ]


def test_scores_that_the_data_cannot_tell_from_the_first_are_marked(snapshot):
    def widened(trial, spread):
        return replace(trial, runs=tuple(replace(run, val_loss_spread=spread) for run in trial.runs))

    for spread in (0.0, 100.0):
        changed = replace(snapshot, trials=tuple(widened(trial, spread) for trial in snapshot.trials))
        rows = summarise(*judged(changed)).ranking
        good = [row for row in rows if row.verdict == "good"]
        assert not rows[0].level
        assert len(good) > 2
        assert all(row.level == (spread > 0) for row in good[1:])
        assert not any(row.level for row in rows if row.verdict == "not_learning")


def test_confidence_and_agreement_stand_beside_the_verdict(snapshot):
    good, overfit = (next(t for t in snapshot.trials if t.number == n) for n in (0, 2))
    runs = tuple(replace(trial.runs[0], seed=seed) for seed, trial in enumerate((good, overfit, good)))
    of = replace(snapshot, trials=(replace(good, runs=runs), snapshot.trials[1]))
    _, diagnoses, _ = judged(of)
    surer = {number: replace(diagnosis, confidence=0.874) for number, diagnosis in diagnoses.items()}
    summary = summarise(of, surer, rank(of.trials, surer))
    seeds, alone = (next(card for card in summary.cards if card.number == n) for n in (0, 1))
    assert (seeds.verdict, seeds.confidence, seeds.agreement) == ("good", 0.874, "2 of 3")
    losses = [run.delivered.val_loss for run in runs]
    assert seeds.spread == pytest.approx(stdev(losses))
    assert (alone.confidence, alone.agreement, alone.spread) == (0.874, "", None)
    row = next(row for row in summary.ranking if row.trial == 0)
    assert (row.confidence, row.agreement) == (0.874, "2 of 3")
    assert "seeds disagree" in [flag.title for flag in summary.flags]
    page = render(summary)
    assert page.count("2 of 3 seeds agree") == 2, "in the ranking and on the card"
    assert page.count("confidence 87\u00a0%, 2 of 3 seeds agree") == 1
    assert page.count("87\u00a0%") == 4
    assert f"± {stdev(losses):.4f}" in page


def test_a_stopped_trial_is_ranked_and_counted_as_one(snapshot):
    first = snapshot.trials[0]
    reason = "overfit beyond repair"
    run = replace(first.runs[0], status=Status.STOPPED, reason=reason)
    of = replace(snapshot, trials=(replace(first, status=Status.STOPPED, runs=(run,)), *snapshot.trials[1:]))
    summary, before = summarise(*judged(of)), summarise(*judged(snapshot))
    assert (summary.stopped, summary.completed) == (1, before.completed - 1)
    assert len(summary.ranking) == len(before.ranking)
    assert next(card for card in summary.cards if card.number == 0).ending == reason
    assert "1 stopped" in summary.sentences[0]
    assert "1 stopped" in render(summary)


def test_a_skipped_trial_is_shown_as_one_and_is_no_failure(snapshot):
    first = snapshot.trials[0]
    reason = "by hand at epoch 3"
    epochs = first.runs[0].epochs[:3]
    run = TrainingRun(7, Status.SKIPPED, epochs, reason)
    skipped = replace(first, status=Status.SKIPPED, runs=(run,))
    of = replace(snapshot, trials=(skipped, *snapshot.trials[1:]))
    summary, before = summarise(*judged(of)), summarise(*judged(snapshot))
    assert (summary.skipped, summary.failed) == (1, before.failed)
    assert [(card.number, card.ending, card.verdict) for card in summary.skipped_cards] == [
        (0, reason, "not_judged")
    ]
    assert "1 skipped" in summary.sentences[0]
    page = render(summary)
    assert "1 skipped" in page
    assert "What was skipped" in page
    assert "kipped" not in render(before).split("<section")[1]


def test_a_trial_that_took_too_long_is_a_failure_with_its_reason(snapshot):
    first = snapshot.trials[0]
    run = replace(first.runs[0], status=Status.TIMED_OUT, reason="an epoch was not done after 10 minutes")
    of = replace(
        snapshot, trials=(replace(first, status=Status.TIMED_OUT, runs=(run,)), *snapshot.trials[1:])
    )
    summary = summarise(*judged(of))
    assert 0 in {card.number for card in summary.failed_cards}
    page = render(summary)
    assert "timed out" in page
    assert run.reason in page


def test_every_way_a_search_can_end_is_said_in_a_sentence(snapshot):
    for outcome in Outcome:
        assert summarise(*judged(replace(snapshot, status=outcome))).status.endswith(".")


def test_references_stand_apart_the_lower_loss_first(summary):
    assert [row.label for row in summary.reference_rows] == ["linear model", "class frequencies"]
    assert all(row.rank is None and row.trial is None for row in summary.reference_rows)


def test_every_trial_has_a_card_ranked_ones_first(snapshot, summary):
    assert {card.number for card in summary.cards} == {trial.number for trial in snapshot.trials}
    ranks = [card.rank for card in summary.cards if card.rank is not None]
    assert ranks == list(range(1, len(summary.ranking) + 1))
    assert [card.rank for card in summary.cards[: len(ranks)]] == ranks


def test_headline_compares_the_first_with_the_linear_model(summary):
    first, linear = summary.ranking[0], REFERENCES[1]
    percent = round(100 * (1 - first.val_loss / linear.val_loss))
    assert f"Trial {first.trial} comes first" in summary.headline
    assert f"{percent}\u00a0% below that of the linear model" in summary.headline


def test_seeds_that_ended_for_other_reasons_are_told_apart(snapshot):
    first = snapshot.trials[0]

    def ending(*reasons):
        runs = tuple(replace(first.runs[0], seed=seed, reason=reason) for seed, reason in enumerate(reasons))
        changed = replace(snapshot, trials=(replace(first, runs=runs), *snapshot.trials[1:]))
        return next(card.ending for card in summarise(*judged(changed)).cards if card.number == 0)

    assert ending("settled", "overfit", "settled") == "seeds 0 and 2: settled; seed 1: overfit"
    assert ending("", "", "overfit") == "seed 2: overfit"


def test_pruned_and_failed_carry_their_reasons(snapshot, summary):
    reasons = {trial.number: trial.runs[0].reason for trial in snapshot.trials}
    ended = (*summary.pruned_cards, *summary.failed_cards)
    assert len(ended) == summary.pruned + summary.failed
    assert all(card.ending == reasons[card.number] for card in ended)


def test_flags_name_the_trials_that_carry_them(snapshot, summary):
    _, diagnoses, _ = judged(snapshot)
    raised = Counter(flag.replace("_", " ") for diagnosis in diagnoses.values() for flag in diagnosis.flags)
    assert {flag.title: len(flag.trials) for flag in summary.flags} == raised


def test_without_completed_trials_it_says_so():
    summary = summarise(*judged(search(4, (("dense", "pruned"), ("cnn", "failed")))))
    assert summary.headline == "No trial ran to its end, so there is nothing to rank yet."
    assert summary.ranking == ()
    assert summary.best is None


def test_without_trials_it_still_sums_up():
    summary = summarise(*judged(search(0)))
    assert summary.cards == summary.families == ()


def test_a_running_search_says_how_many_are_planned(snapshot):
    summary = summarise(*judged(replace(snapshot, status="running", total=60)))
    assert "24 trials of 60 planned" in summary.sentences[0]
    assert summary.status == "The search is still running."


def test_a_trial_without_diagnosis_is_not_judged(snapshot):
    summary = summarise(snapshot, {}, ())
    assert set(summary.verdicts) == {"not_judged"}


def test_family_rows_add_up(summary):
    assert sum(row.trials for row in summary.families) == len(summary.cards)
    assert summary.families[0].best == summary.best


def test_numbers_of_the_first_are_finite(summary):
    assert math.isfinite(summary.best.val_loss)
    assert math.isfinite(summary.best.gap)
