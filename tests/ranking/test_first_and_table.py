import re
import subprocess
import sys
from dataclasses import replace

import pytest
from curve_shapes import DATA, FREQUENCIES, LINEAR, good, overfit, run_of, still_falling, trial_of

from archsearch.diagnosis import diagnose_trials
from archsearch.ranking import COLUMNS, rank, table, why_first

REFERENCES = (FREQUENCIES, LINEAR)


def ranked(*trials):
    return rank(trials, diagnose_trials(trials, DATA, LINEAR))


def test_the_first_is_explained_by_verdict_lead_and_references():
    text = why_first(ranked(trial_of(4, good(), score=0.22), trial_of(7, good(), score=0.3)), REFERENCES)
    assert text.startswith("Trial 4 is first with the verdict good: Validation loss had settled")
    assert "leads the second by 0.08, more than the noise of 0.0089 on 2000 validation samples." in text
    assert "against 0.693 (class frequencies) and 0.3 (linear model)." in text
    assert "\n" not in text


def test_a_lead_within_noise_names_the_ranks_that_cannot_be_told_apart():
    scores = (0.220, 0.222, 0.225, 0.3)
    trials = [trial_of(number, good(), score=score) for number, score in enumerate(scores)]
    assert "ranks 1 to 3 cannot be told apart" in why_first(ranked(*trials), REFERENCES)


def test_a_second_of_another_tier_is_said_to_be_behind_for_its_verdict():
    text = why_first(ranked(trial_of(0, good()), trial_of(1, still_falling(), score=0.01)), ())
    assert "The second, trial 1, is not converged, which counts before the score." in text
    assert "against" not in text


def test_where_no_run_is_good_it_says_so():
    text = why_first(ranked(trial_of(0, overfit())), REFERENCES)
    assert text.startswith(
        "No run is good; trial 0 is the best of them, its run overfit, its delivered weights good:"
    )
    assert "only trial ranked" in text


def test_an_empty_ranking_is_explained_too():
    assert why_first((), REFERENCES).startswith("No trial was completed")


def test_the_table_has_one_row_per_rank_and_fixed_columns():
    frame = table(ranked(trial_of(0, good()), trial_of(1, overfit())))
    assert tuple(frame.columns) == COLUMNS
    assert list(frame["rank"]) == [1, 2]
    assert list(frame["verdict"]) == ["good", "overfit"]
    assert frame["architecture"][0] == "dense 16"
    assert tuple(table(()).columns) == COLUMNS


def test_the_table_has_the_confidence_and_the_share_of_seeds_that_agree():
    seeds = tuple(run_of(shape(), seed=seed) for seed, shape in enumerate((good, overfit, good)))
    trials = (trial_of(0, runs=seeds, score=0.2), trial_of(1, good(), score=0.3))
    diagnoses = diagnose_trials(trials, DATA, LINEAR)
    diagnoses[0] = replace(diagnoses[0], confidence=0.875)
    diagnoses[1] = replace(diagnoses[1], confidence=None)
    frame = table(rank(trials, diagnoses))
    assert frame["confidence"][0] == 0.875
    assert frame["agreement"][0] == pytest.approx(2 / 3)
    assert frame.loc[1, ["confidence", "agreement"]].isna().all()
    assert list(frame.dtypes[["confidence", "agreement"]]) == ["float64", "float64"]


def test_with_seeds_that_disagree_the_first_is_said_to_be_so():
    seeds = tuple(run_of(shape(), seed=seed) for seed, shape in enumerate((good, overfit, good)))
    text = why_first(ranked(trial_of(0, runs=seeds, score=0.2), trial_of(1, runs=seeds, score=0.201)), ())
    assert text.startswith("Trial 0 is first with the verdict good in 2 of 3 seeds: ")
    assert "between 3 seeds and on 2000 validation samples: ranks 1 to 2 cannot be told apart" in text


def test_ranking_loads_no_pandas():
    code = "import sys, archsearch.ranking; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_first_that_is_worse_than_the_linear_model_is_said_to_be():
    worse = replace(LINEAR, val_loss=0.1)
    text = why_first(ranked(trial_of(0, good())), (FREQUENCIES, worse))
    assert re.search(r"and 0\.1 \(linear model\): \d+\u00a0% above that of the linear model\.$", text)
    better = why_first(ranked(trial_of(0, good())), REFERENCES)
    assert "above" not in better
