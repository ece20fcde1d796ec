import json
from dataclasses import replace

import pytest

from archsearch.study.proposals import FIRST_PRUNED_EPOCH, Proposals

EPOCHS = 20
COUNT = 16


def loss(params, epoch):
    level = abs(params["x"] - 0.3) + {"a": 0.2, "b": 0.0, "c": 0.4}[params["kind"]] + params["n"] / 50
    return level + 2 / epoch


class Played:
    """Proposals asked, trained and told one after the other, and what is recorded of them."""

    def __init__(self, sampler, pruner, recorded=(), curves=None):
        self.proposals = Proposals("dense", sampler, pruner, 7, EPOCHS)
        self.proposals.replay(recorded, curves or {})
        self.recorded = list(recorded)
        self.curves = dict(curves or {})

    def ask(self):
        number, suggest = self.proposals.ask()
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


@pytest.fixture(scope="module", params=["median", "hyperband", "none"])
def pruner(request):
    return request.param


@pytest.fixture(scope="module", params=["tpe", "random"])
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
    assert resumed.recorded == uninterrupted.recorded
    assert resumed.curves == uninterrupted.curves


@pytest.mark.parametrize("cut", [0, 4, 7])
def test_a_proposal_cut_short_is_trained_again_from_the_start(uninterrupted, sampler, pruner, cut):
    before = Played(sampler, pruner).play(11)
    running = before.ask()
    before.train(running, epochs=cut)
    resumed = Played(sampler, pruner, before.recorded, before.curves)
    resumed.tell(running, resumed.train(running))
    resumed.play(COUNT - 12)
    assert resumed.recorded == uninterrupted.recorded


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
