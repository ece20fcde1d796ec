"""What a user's HyperModel can't build is no trial."""

import threading

import pytest
from made_up import RECIPE, Scripted, recorded, space

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import ArchsearchError
from archsearch.study import Search
from archsearch.study.candidates import Candidate, Unbuildable
from archsearch.study.family import MOST_UNBUILDABLE

OWN = space(families={"mine": {"hypermodel": "models:Mine"}})


def run(record, sample, total=5):
    record.begin_session("archsearch run made-up.yaml", 1, total)
    search = Search(OWN, record, Scripted(), lambda _: None, sample)
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
    missed = [proposal for proposal in proposals if proposal.trial is None]
    assert missed
    assert {proposal.state for proposal in missed} == {"PRUNED"}


def test_a_hypermodel_that_builds_nothing_ends_the_search_with_its_reason(tmp_path):
    with recorded(tmp_path, OWN) as record:
        with pytest.raises(ArchsearchError, match=r"families.mine: 20 builds in a row failed.*\d+ units"):
            run(record, building(lambda _: False))
        assert len(record.proposals("mine")) == MOST_UNBUILDABLE
