from hypothesis import given
from hypothesis import strategies as st
from made_up import epoch

from archsearch.records import Status, TrainingRun
from archsearch.study.budget import Budget

FAMILIES = ("dense", "cnn", "mine")


def run(epochs, seconds, status=Status.COMPLETED):
    return TrainingRun(0, status, tuple(epoch(n, 0.5) for n in range(1, epochs + 1)), seconds=seconds)


def spent_of(kind, runs):
    return {"trials": 1, "epochs": len(runs.epochs), "seconds": runs.seconds}[kind]


@given(
    kind=st.sampled_from(["trials", "epochs", "seconds"]),
    families=st.integers(1, 3),
    costs=st.lists(st.tuples(st.integers(1, 30), st.floats(0.1, 100)), max_size=40),
)
def test_families_have_spent_the_same_within_one_trial_wherever_a_search_stops(kind, families, costs):
    budget = Budget(kind, FAMILIES[:families])
    spent, dearest = dict.fromkeys(FAMILIES[:families], 0.0), 0.0
    for number, (epochs, seconds) in enumerate(costs):
        family = budget.turns(len(costs))[0]
        budget.start(number, family)
        one = run(epochs, seconds)
        budget.end(number, Status.COMPLETED, (one,))
        spent[family] += spent_of(kind, one)
        dearest = max(dearest, spent_of(kind, one))
        assert budget.spent == spent
        assert max(spent.values()) - min(spent.values()) <= dearest + 1e-9


@given(st.integers(0, 30), st.integers(1, 3))
def test_under_trials_every_family_has_its_share_and_no_more(total, families):
    budget = Budget("trials", FAMILIES[:families])
    for number in range(total):
        budget.start(number, budget.turns(total)[0])
    assert sum(budget.spent.values()) == total
    assert max(budget.spent.values()) - min(budget.spent.values()) <= 1
    assert budget.turns(total) == []


def test_under_trials_a_share_is_not_exceeded_where_the_others_take_nothing():
    budget = Budget("trials", FAMILIES[:2])
    for number in range(3):
        budget.start(number, "cnn")
    assert budget.turns(7) == ["dense"]


def test_what_has_not_ended_counts_as_the_others_did_on_average():
    by_epochs, by_seconds = Budget("epochs", FAMILIES[:2]), Budget("seconds", FAMILIES[:2])
    for budget in (by_epochs, by_seconds):
        budget.start(0, "dense")
        budget.start(1, "cnn")
        assert budget.spent == {"dense": 0, "cnn": 0}  # nothing is known of what a trial costs
        budget.end(0, Status.COMPLETED, (run(4, 2.0),))
    assert by_epochs.spent == {"dense": 4, "cnn": 4}
    assert by_seconds.spent == {"dense": 2.0, "cnn": 2.0}


def test_several_workers_are_shared_out_before_anything_is_spent():
    budget = Budget("seconds", FAMILIES)
    started = []
    for number in range(6):
        started.append(budget.turns(60)[0])
        budget.start(number, started[-1])
    assert started == [*FAMILIES, *FAMILIES]


def test_a_family_whose_trainings_fail_at_once_is_not_given_everything():
    budget = Budget("epochs", FAMILIES[:2])
    started = []
    for number in range(20):
        family = budget.turns(20)[0]
        started.append(family)
        budget.start(number, family)
        if family == "dense":
            budget.end(number, Status.OUT_OF_MEMORY, (run(0, 0.0, Status.OUT_OF_MEMORY),))
        else:
            budget.end(number, Status.COMPLETED, (run(10, 5.0),))
    assert started.count("dense") == 10
