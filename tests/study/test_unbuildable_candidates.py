"""What a user's HyperModel can't build is no trial."""

import threading

import pytest
from made_up import RECIPE, Scripted, recorded, space

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import ArchsearchError
from archsearch.study import Outcome, Search
from archsearch.study.candidates import Candidate, Unbuildable
from archsearch.study.family import MOST_UNBUILDABLE
from archsearch.study.proposals import Constraint, broken_constraint

OWN = space(families={"mine": {"hypermodel": "models:Mine"}})


def run(record, sample, total=5, of=OWN):
    record.begin_session("archsearch run made-up.yaml", 1, total)
    search = Search(of, record, Scripted(), lambda _: None, sample)
    return search.run(total, None, threading.Event())


def building(buildable):
    """A sampler of one hyperparameter, some values of which can't be built."""

    def sample(family, suggest):
        units = suggest.integer("units in 1 to 100", 1, 100, log=False)
        if not buildable(units):
            return Unbuildable(f"models:Mine: it raised ValueError: {units} units")
        return Candidate(HyperModelArchitecture(family, "models:Mine", (("units", units),)), RECIPE, units)

    return sample


def test_values_that_cant_be_built_become_no_trial_and_the_sampler_is_told(tmp_path):
    with recorded(tmp_path, OWN) as record:
        run(record, building(lambda units: units % 2 == 0))
        trials, proposals = record.trials()[0], record.proposals("mine")
    assert len(trials) == 5
    assert all(dict(trial.architecture.values)["units"] % 2 == 0 for trial in trials)
    missed = [each for each in proposals if broken_constraint(each) is Constraint.BUILDABLE]
    assert missed
    assert {proposal.trial for proposal in missed} == {None}
    assert {proposal.state for proposal in missed} == {"PRUNED"}


def test_a_hypermodel_that_builds_nothing_ends_the_search_with_its_reason(tmp_path):
    with recorded(tmp_path, OWN) as record:
        said = rf"families.mine: {MOST_UNBUILDABLE} builds in a row failed.*\d+ units"
        with pytest.raises(ArchsearchError, match=said):
            run(record, building(lambda _: False))
        assert len(record.proposals("mine")) == MOST_UNBUILDABLE


def choosing(buildable, choices):
    """A sampler of one of some choices, not all of which can be built."""

    def sample(family, suggest):
        kind = suggest.categorical("kind", choices)
        if kind not in buildable:
            return Unbuildable(f"models:Mine: it raised ValueError: {kind} is bad")
        return Candidate(HyperModelArchitecture(family, "models:Mine", (("kind", kind),)), RECIPE, 10)

    return sample


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("count", [3, 8])
def test_a_family_of_which_some_can_be_built_is_complete_when_those_are_trained(tmp_path, sampler, count):
    of = space(families={"mine": {"hypermodel": "models:Mine"}}, search={"sampler": sampler})
    choices = tuple(f"kind {n}" for n in range(count))
    with recorded(tmp_path, of) as record:
        outcome = run(record, choosing(choices[:2], choices), 6, of)
        assert (outcome, len(record.trials()[0])) == (Outcome.FINISHED, 2)


def test_a_family_of_which_the_rest_can_not_be_built_is_complete_too(tmp_path):
    choices = tuple(f"kind {n}" for n in range(400))
    with recorded(tmp_path, OWN) as record:
        run(record, choosing(choices, choices), 1)
        known = record.trials()[0][0].params["kind"]
        assert run(record, choosing([known], choices), 5) is Outcome.FINISHED
        assert len(record.trials()[0]) == 1


def test_what_was_built_before_and_is_not_any_more_ends_the_search_with_its_reason(tmp_path):
    choices = tuple(f"kind {n}" for n in range(400))
    with recorded(tmp_path, OWN) as record:
        run(record, choosing(choices, choices), 3)
        assert run(record, choosing((), choices), 5) is Outcome.GIVEN_UP
        assert run(record, choosing(choices, choices), 5) is Outcome.FINISHED


def test_a_search_gone_on_with_counts_the_builds_that_failed_as_they_were(tmp_path):
    choices = tuple(f"kind {n}" for n in range(6))
    counts = []
    with recorded(tmp_path, OWN) as record:
        for total in (9, 20):
            run(record, choosing(choices[:2], choices), total)
            counts.append(len(record.proposals("mine")))
    assert counts[0] == counts[1]


def test_a_hypermodel_without_hyperparameters_is_built_for_one_trial_only(tmp_path):
    built = []

    def sample(family, _suggest):
        built.append(family)
        return Candidate(HyperModelArchitecture(family, "models:Mine", ()), RECIPE, 10)

    with recorded(tmp_path, OWN) as record:
        assert run(record, sample) is Outcome.FINISHED
        assert run(record, sample, 8) is Outcome.FINISHED
        assert len(record.trials()[0]) == 1
    assert len(built) == 1
