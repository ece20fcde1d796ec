"""What a sampler remembers of proposals that were made before the space was edited."""

import json
from dataclasses import replace
from statistics import fmean

import pytest
from made_up import DATA, space
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.search_space import intersection_search_space

from archsearch.study import space_sampler
from archsearch.study.past import asked_now, distribution_of, remembered
from archsearch.study.proposals import Constraint, Proposals, broken_constraint

EPOCHS = 20
ASKED = {
    "kind": CategoricalDistribution(("a", "b", "c")),
    "x": FloatDistribution(0.0, 1.0),
    "n": IntDistribution(1, 9, log=True),
}
WIDER = {
    "kind": CategoricalDistribution(("b", "c", "d", "a")),
    "x": FloatDistribution(-1.0, 3.0),
    "n": IntDistribution(1, 90, log=True),
}


class Played:
    """Proposals of some distributions, each told its loss, and what is recorded of them."""

    def __init__(self, asked, recorded=(), sampler="tpe", outdated=(), pruner="none"):
        self.asked = asked
        self.proposals = Proposals("dense", sampler, pruner, 7, EPOCHS)
        self.recorded = list(recorded)
        self.proposals.replay(recorded, {}, asked, outdated)

    def ask(self):
        number, suggest = self.proposals.ask()
        for name, distribution in self.asked.items():
            if isinstance(distribution, CategoricalDistribution):
                suggest.categorical(name, distribution.choices)
            else:
                ask = suggest.real if isinstance(distribution, FloatDistribution) else suggest.integer
                ask(name, distribution.low, distribution.high, log=distribution.log)
        self.recorded.append(self.stored(number))
        return number

    def play(self, count):
        for _ in range(count):
            number = self.ask()
            params = self.recorded[number].params
            self.proposals.tell(number, abs(params["x"] - 0.3) + (params["kind"] != "b"))
            self.recorded[number] = self.stored(number)
        return self

    def stored(self, number):
        """As it comes back from a file."""
        proposal = self.proposals.proposal(number, number)
        fields = {name: getattr(proposal, name) for name in ("params", "distributions", "system_attrs")}
        return replace(proposal, **json.loads(json.dumps(fields)))

    @property
    def joint_space(self):
        return intersection_search_space(self.proposals._trials, include_pruned=True)


@pytest.fixture(scope="module")
def past():
    return Played(ASKED).play(30).recorded


@pytest.mark.parametrize("family", ["dense", "cnn"])
def test_what_is_asked_now_is_exactly_what_a_proposal_is_asked(family):
    words = {
        "dense": {
            "depth": {"low": 1, "high": 6},
            "narrowest": [8, 16, 8],
            "widest": {"low": 64, "high": 256, "log": True},
            "dropout": {"rising": [0.0, 0.1], "falling": {"low": 0.1, "high": 0.1}},
            "batch_norm": [True, False],
        },
        "cnn": {"blocks": [1, 2, 3], "filters": {"first": 4, "growth": {"low": 1.0, "high": 2.0}}},
    }
    training = {"early_stopping": ["off", {"patience": 3}], "learning_rate": {"low": 1e-4, "high": 1e-2}}
    of = space(families=words, training=training)
    proposals = Proposals(family, "random", "none", 0, EPOCHS)
    number, suggest = proposals.ask()
    space_sampler(of, DATA)(family, suggest)
    recorded = json.loads(json.dumps(dict(proposals.proposal(number, 0).distributions)))
    asked = asked_now(of.families.named[family], of.training)
    assert {name: distribution_of(text) for name, text in recorded.items()} == asked


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("x", FloatDistribution(-1.0, 3.0)),
        ("x", FloatDistribution(1e-9, 1.0, log=True)),
        ("n", IntDistribution(1, 90, log=True)),
        ("n", IntDistribution(1, 9)),
        ("n", CategoricalDistribution(tuple(range(1, 10)))),
        ("kind", CategoricalDistribution(("c", "d", "b", "a"))),
    ],
)
def test_a_proposal_is_remembered_where_its_values_lie_within_what_is_asked(past, name, now):
    asked = ASKED | {name: now}
    for proposal in past:
        known = remembered(proposal, asked)
        assert known.params == proposal.params
        assert {word: distribution_of(text) for word, text in known.distributions.items()} == asked
        assert (known.state, known.value) == (proposal.state, proposal.value)


@pytest.mark.parametrize(
    "asked",
    [
        ASKED | {"x": FloatDistribution(2.0, 3.0)},
        ASKED | {"n": IntDistribution(10, 90)},
        ASKED | {"n": CategoricalDistribution((10, 20))},
        ASKED | {"kind": CategoricalDistribution(("d", "e"))},
        ASKED | {"x": CategoricalDistribution(("off", "on"))},
        ASKED | {"kind": FloatDistribution(0.0, 1.0)},
        ASKED | {"momentum": FloatDistribution(0.0, 1.0)},
        {"kind": ASKED["kind"], "x": ASKED["x"]},
    ],
    ids=["float", "int", "numbers", "list", "words", "kind", "new", "gone"],
)
def test_a_proposal_is_not_remembered_that_lies_outside_or_has_other_parameters(past, asked):
    assert all(remembered(proposal, asked) is None for proposal in past)


def test_nothing_is_touched_where_nothing_has_changed(past):
    assert all(remembered(proposal, ASKED) is proposal for proposal in past)


def test_tpe_goes_on_from_what_it_learnt_before_ranges_were_widened(past):
    edited = Played(WIDER, past)
    assert edited.joint_space == WIDER
    edited.play(20)
    assert [proposal.number for proposal in edited.recorded] == list(range(50))
    assert edited.joint_space == WIDER
    new = [proposal.params for proposal in edited.recorded[30:]]
    assert [params["kind"] for params in new].count("b") > 10, "5 by chance"
    assert fmean(abs(params["x"] - 0.3) for params in new) < 0.9, "1.1 by chance"
    assert any(params["x"] > 1 or params["n"] > 9 or params["kind"] == "d" for params in new)


def test_what_lies_outside_leaves_its_number_and_the_joint_space_to_the_others(past):
    half = ASKED | {"x": FloatDistribution(0.0, 0.5)}
    inside = sum(proposal.params["x"] <= 0.5 for proposal in past)
    assert 10 < inside < len(past)
    edited = Played(half, past).play(2)
    assert edited.joint_space == half
    states = [trial.state.name for trial in edited.proposals._trials]
    assert (len(states), states.count("COMPLETE")) == (32, inside + 2)


def test_a_new_parameter_is_learnt_of_new_proposals_alone(past):
    more = ASKED | {"momentum": FloatDistribution(0.0, 0.9)}
    edited = Played(more, past).play(12)
    assert edited.joint_space == more


def test_a_training_under_way_outside_of_the_space_is_recorded_as_it_ends_but_not_learnt(past):
    before = Played(ASKED, past)
    complete, pruned, rejected, skipped = (before.ask() for _ in range(4))
    other = {name: distribution for name, distribution in ASKED.items() if name != "x"}
    edited = Played(other, before.recorded, pruner="median")
    assert not edited.proposals.should_prune(complete, 1, 0.5)
    edited.proposals.tell(complete, 0.5)
    edited.proposals.tell(pruned, None)
    edited.proposals.reject(rejected, Constraint.TRAINABLE, 1.0)
    edited.proposals.discard(skipped)
    told = [edited.stored(number) for number in (complete, pruned, rejected, skipped)]
    assert [(p.state, p.value) for p in told] == [
        ("COMPLETE", 0.5),
        ("PRUNED", None),
        ("PRUNED", None),
        ("FAIL", None),
    ]
    assert broken_constraint(told[2]) is Constraint.TRAINABLE
    for proposal, asked in zip(told, before.recorded[30:], strict=True):
        assert (proposal.params, proposal.distributions) == (asked.params, asked.distributions)
    assert edited.joint_space == {}
    # Back in the former space all of it counts.
    back = Played(ASKED, [*past, *told])
    assert back.joint_space == ASKED
    assert back.proposals._trials[complete].value == 0.5


@pytest.mark.parametrize("sampler", ["random", "cma-es", "grid"])
def test_the_other_samplers_go_on_in_a_widened_space(sampler):
    past = Played(ASKED, sampler=sampler).play(12).recorded
    edited = Played(WIDER, past, sampler=sampler).play(12)
    resumed = Played(WIDER, edited.recorded[:17], sampler=sampler).play(7)
    chosen = [[(p.number, p.params, p.value) for p in each.recorded] for each in (edited, resumed)]
    assert chosen[0] == chosen[1]


def test_cma_es_learns_from_past_proposals_in_the_widened_ranges_not_from_its_old_state():
    past = Played(ASKED, sampler="cma-es").play(12).recorded
    assert any(name.startswith("cma:") for proposal in past for name in proposal.system_attrs)
    edited = Played(WIDER, past, sampler="cma-es")
    kept = [name for trial in edited.proposals._trials for name in trial.system_attrs]
    assert not [name for name in kept if name.startswith("cma:")]


def test_what_is_outdated_is_not_learnt_although_it_lies_within(past):
    edited = Played(ASKED, past, outdated={3, 4})
    states = [trial.state.name for trial in edited.proposals._trials]
    assert [number for number, state in enumerate(states) if state == "FAIL"] == [3, 4]
