import itertools
import json
import random
from dataclasses import replace

import pytest

from archsearch.study.proposals import FIRST_PRUNED_EPOCH, Constraint, Proposals, broken_constraint

EPOCHS = 20
COUNT = 16
GRID = [{"kind": k, "x": x, "n": n} for k, x, n in itertools.product("abc", [0.0, 0.3, 0.8], [1, 4, 9])]
random.Random(0).shuffle(GRID)


def loss(params, epoch):
    level = abs(params["x"] - 0.3) + {"a": 0.2, "b": 0.0, "c": 0.4}[params["kind"]] + params["n"] / 50
    return level + 2 / epoch + level * epoch / 10


def chosen(recorded):
    """What must be the same; the bytes of CMA-ES' pickled state hold memory that nobody has written to."""
    return [(p.number, p.params, p.state, p.value, sorted(p.system_attrs)) for p in recorded]


class Played:
    """Proposals asked, trained and told one after the other, and what is recorded of them."""

    def __init__(self, sampler, pruner, recorded=(), curves=None):
        self.grid = GRID if sampler == "grid" else None
        self.proposals = Proposals("dense", sampler, pruner, 7, EPOCHS)
        self.proposals.replay(recorded, curves or {})
        self.recorded = list(recorded)
        self.curves = dict(curves or {})

    def ask(self):
        number, suggest = self.proposals.ask(self.grid and self.grid[len(self.recorded)])
        suggest.categorical("kind", ("a", "b", "c"))
        suggest.real("x", 0.0, 1.0, log=False)
        suggest.integer("n", 1, 9, log=True)
        self.recorded.append(self.stored(number))
        return number

    def train(self, number, epochs=EPOCHS):
        """Report epochs; whether all were allowed."""
        self.curves[number] = {}
        for epoch in range(1, epochs + 1):
            self.curves[number][epoch] = loss(self.recorded[number].params, epoch)
            if self.proposals.should_prune(number, epoch, self.curves[number][epoch]):
                return False
        return True

    def tell(self, number, completed):
        self.proposals.tell(number, self.curves[number][EPOCHS] if completed else None)
        self.recorded[number] = self.stored(number)

    def play(self, count):
        for _ in range(count):
            number = self.ask()
            self.tell(number, self.train(number))
        return self

    def stored(self, number):
        """As it comes back from a file."""
        proposal = self.proposals.proposal(number, number)
        fields = {name: getattr(proposal, name) for name in ("params", "distributions", "system_attrs")}
        return replace(proposal, **json.loads(json.dumps(fields)))


@pytest.fixture(scope="module", params=["median", "hyperband", "patient", "none"])
def pruner(request):
    return request.param


@pytest.fixture(scope="module", params=["tpe", "random", "cma-es", "grid"])
def sampler(request):
    return request.param


@pytest.fixture(scope="module")
def uninterrupted(sampler, pruner):
    return Played(sampler, pruner).play(COUNT)


def test_some_are_pruned_and_none_before_the_fifth_epoch(uninterrupted, pruner):
    pruned = [p.number for p in uninterrupted.recorded if p.state == "PRUNED"]
    assert bool(pruned) == (pruner != "none")
    assert FIRST_PRUNED_EPOCH == 5
    assert all(len(uninterrupted.curves[number]) >= 5 for number in pruned)


@pytest.mark.parametrize("done", [0, 1, 6, 11])
def test_replayed_proposals_go_on_as_uninterrupted_ones(uninterrupted, sampler, pruner, done):
    curves = {number: uninterrupted.curves[number] for number in range(done)}
    resumed = Played(sampler, pruner, uninterrupted.recorded[:done], curves).play(COUNT - done)
    assert chosen(resumed.recorded) == chosen(uninterrupted.recorded)
    assert resumed.curves == uninterrupted.curves


@pytest.mark.parametrize("cut", [0, 4, 7])
def test_a_proposal_cut_short_is_trained_again_from_the_start(uninterrupted, sampler, pruner, cut):
    before = Played(sampler, pruner).play(11)
    running = before.ask()
    before.train(running, epochs=cut)
    resumed = Played(sampler, pruner, before.recorded, before.curves)
    resumed.tell(running, resumed.train(running))
    resumed.play(COUNT - 12)
    assert chosen(resumed.recorded) == chosen(uninterrupted.recorded)


def test_families_and_seeds_have_proposals_of_their_own():
    first, *others = (
        Proposals(family, "random", "none", seed, EPOCHS)
        for family, seed in [("dense", 0), ("cnn", 0), ("dense", 1)]
    )
    values = [p.ask()[1].real("x", 0.0, 1.0, log=False) for p in (first, *others)]
    assert len(set(values)) == 3


def test_a_training_too_short_to_be_pruned_is_never_pruned():
    proposals = Proposals("dense", "random", "hyperband", 0, FIRST_PRUNED_EPOCH)
    for _ in range(20):
        number, _ = proposals.ask()
        assert not any(proposals.should_prune(number, epoch, float(number)) for epoch in range(1, 6))
        proposals.tell(number, float(number))


def test_what_was_told_stands_in_the_proposal():
    played = Played("random", "none").play(1)
    number = played.ask()
    played.train(number, epochs=2)
    played.tell(number, completed=False)
    complete, pruned = played.recorded
    assert (complete.state, complete.value) == ("COMPLETE", played.curves[0][EPOCHS])
    assert pruned.state == "PRUNED"


def test_a_chosen_combination_is_proposed_as_it_is():
    played = Played("grid", "none").play(3)
    assert [dict(p.params) for p in played.recorded] == GRID[:3]


def test_the_patient_pruner_stops_only_what_the_median_stops_and_no_longer_falls():
    def curve(kind):
        proposals = Proposals("dense", "random", kind, 0, EPOCHS)
        for _ in range(6):
            number, _ = proposals.ask()
            assert not any(proposals.should_prune(number, epoch, 1.0) for epoch in range(1, 21))
            proposals.tell(number, 1.0)
        falls, rests, dips = (proposals.ask()[0] for _ in range(3))
        stopped = {falls: None, rests: None, dips: None}
        for epoch in range(1, 21):
            losses = {falls: 9 - epoch / 10, rests: 9.0 if epoch == 1 else 9.1, dips: 9 - (epoch == 9)}
            for number, loss in losses.items():
                if proposals.should_prune(number, epoch, loss) and stopped[number] is None:
                    stopped[number] = epoch
        return list(stopped.values())

    assert curve("median") == [5, 5, 5]
    assert curve("patient") == [None, FIRST_PRUNED_EPOCH, 13]


class Conditional:
    """Proposals whose second parameter depends on the first."""

    def __init__(self, recorded=()):
        self.proposals = Proposals("mine", "tpe", "hyperband", 7, EPOCHS, conditional=True)
        self.recorded = list(recorded)
        self.proposals.replay(recorded, {})

    def ask(self):
        number, suggest = self.proposals.ask()
        kind = suggest.categorical("kind", ("a", "b"))
        suggest.real(f"{kind}.x", 0.0, 1.0, log=False)
        self.recorded.append(self.stored(number))
        return number

    def train(self, number):
        self.proposals.tell(number, abs(self.recorded[number].params.get("a.x", 2.0) - 0.5))
        self.recorded[number] = self.stored(number)

    def stored(self, number):
        proposal = self.proposals.proposal(number, number)
        fields = {name: getattr(proposal, name) for name in ("params", "distributions", "system_attrs")}
        return replace(proposal, **json.loads(json.dumps(fields)))


@pytest.mark.parametrize("done", [0, 9, 13, 20])
def test_conditional_parameters_are_proposed_as_the_uninterrupted_search_would_have(done):
    undisturbed, cut = Conditional(), Conditional()
    for _ in range(24):
        undisturbed.train(undisturbed.ask())
    for _ in range(done):
        cut.train(cut.ask())
    running = cut.ask()
    resumed = Conditional(cut.recorded)
    resumed.train(running)
    for _ in range(23 - done):
        resumed.train(resumed.ask())
    assert resumed.recorded == undisturbed.recorded


def test_conditional_parameters_are_learned():
    played = Conditional()
    for _ in range(60):
        played.train(played.ask())
    kinds = [p.params["kind"] for p in played.recorded]
    assert kinds[30:].count("a") > 20


@pytest.mark.parametrize("sampler", ["tpe", "random", "cma-es"])
def test_rejected_proposals_are_replayed_and_tpe_learns_to_avoid_them(sampler):
    def play(done):
        recorded, proposals = [], Proposals("dense", sampler, "median", 3, EPOCHS)
        while len(recorded) < 80:
            if len(recorded) in done:
                proposals = Proposals("dense", sampler, "median", 3, EPOCHS)
                proposals.replay(recorded, {})
            number, suggest = proposals.ask()
            size = suggest.integer("size", 1, 1_000, log=True)
            other = suggest.real("other", 0.0, 1.0, log=False)
            if size > 10:  # two of three by chance
                proposals.reject(number, Constraint.PARAMETERS, size / 10 - 1)
            else:
                proposals.tell(number, other)
            stored = proposals.proposal(number, None)
            attrs = json.loads(json.dumps(stored.system_attrs))
            recorded.append(replace(stored, system_attrs=attrs))
        return recorded

    recorded = play(())
    assert chosen(play({7, 33, 60})) == chosen(recorded)
    rejected = [broken_constraint(proposal) is not None for proposal in recorded]
    # By chance 40 of 60.
    assert rejected[20:].count(True) < 60 / 2 if sampler == "tpe" else any(rejected[20:])
