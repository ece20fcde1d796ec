import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.space import Edit, SearchSpace, changed_words, edit_between

DENSE = {"depth": {"low": 1, "high": 6}, "narrowest": [8, 16], "widest": 64}
CNN = {"blocks": [1, 2], "filters": {"first": 8}}
MINE = {"hypermodel": "module:Mine", "arguments": {"units": 3}}
NAMED = {"small": {"dense": [8]}, "large": "dense 64·64"}


def space(**words):
    defaults = {
        "name": "edited",
        "data": "digits",
        "families": {"dense": DENSE, "mine": MINE},
        "architectures": NAMED,
        "training": {"epochs": 30},
    }
    return SearchSpace.from_mapping(defaults | words)


def edit(**words) -> Edit:
    return edit_between(space(), space(**words))


def dense(**words):
    return {"families": {"dense": DENSE | words, "mine": MINE}}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (dense(depth={"low": 1, "high": 8}), "families.dense.depth: 1 to 6 → 1 to 8"),
        (dense(depth={"low": 2, "high": 3}), "families.dense.depth: 1 to 6 → 2 to 3"),
        (dense(depth={"low": 1, "high": 6, "log": True}), "families.dense.depth: 1 to 6 → 1 to 6 (log)"),
        (dense(narrowest=[8, 16, 32]), "families.dense.narrowest: [8, 16] → [8, 16, 32]"),
        (dense(narrowest=16), "families.dense.narrowest: [8, 16] → 16"),
        (dense(batch_norm=[False, True]), "families.dense.batch_norm: false → [false, true]"),
        (
            dense(dropout={"falling": {"low": 0.0, "high": 0.5}}),
            "families.dense.dropout: 0.0 → rising 0.0, falling 0.0 to 0.5",
        ),
        ({"families": {"dense": DENSE, "mine": MINE, "cnn": CNN}}, "families.cnn: new"),
        ({"families": {"mine": MINE}}, "families.dense: removed"),
        ({"families": {"dense": DENSE}}, "families.mine: removed"),
        ({"architectures": NAMED | {"deep": "dense 8·8·8"}}, "architectures.deep: new"),
        ({"architectures": {"small": {"dense": [8]}}}, "architectures.large: removed"),
        (
            {"architectures": NAMED | {"small": "dense 9 dropout 0.1"}},
            "architectures.small: dense 8 → dense 9 dropout 0.1",
        ),
        ({"architectures": dict(reversed(NAMED.items()))}, "architectures: in another order"),
        ({"search": {"sampler": "random"}}, "search.sampler: tpe → random"),
        ({"search": {"pruner": "hyperband"}}, "search.pruner: median → hyperband"),
        ({"search": {"budget": "epochs"}}, "search.budget: trials → epochs"),
        ({"constraints": {"parameters": 5_000}}, "constraints.parameters: none → 5000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_searched_may_change_and_is_said_in_a_line(words, line):
    assert edit(**words) == Edit(allowed=(line,))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"data": "mnist"}, "data.source: digits → mnist"),
        ({"training": {"epochs": 40}}, "training.epochs: 30 → 40"),
        (
            {"training": {"epochs": 30, "learning_rate": {"low": 1e-4, "high": 0.1, "log": True}}},
            "training.learning_rate: 0.001 → 0.0001 to 0.1 (log)",
        ),
        (
            {"training": {"epochs": 30, "early_stopping": {"patience": 5}}},
            "training.early_stopping: none → patience 5",
        ),
        ({"training": {"epochs": 30, "seeds": 2}}, "training.seeds: 1 → 2"),
        ({"search": {"seed": 3}}, "search.seed: 0 → 3"),
        (
            {"families": {"dense": DENSE, "mine": MINE | {"hypermodel": "module:Other"}}},
            "families.mine.hypermodel: module:Mine → module:Other",
        ),
        (
            {"families": {"dense": DENSE, "mine": MINE | {"arguments": {"units": 4}}}},
            "families.mine.arguments.units: 3 → 4",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_trainings_depend_on_may_not_change(words, line):
    assert edit(**words) == Edit(refused=(line,))


def test_bounds_the_machine_and_defaults_written_down_are_no_edit():
    same = edit(
        search={"trials": 99, "hours": 3, "sampler": "tpe"},
        execution={"workers": 3},
        training={"epochs": 30, "optimizer": "adam"},
    )
    assert same == Edit()


def test_several_changes_are_a_line_each_what_is_refused_first():
    several = edit(training={"epochs": 31}, search={"seed": 1, "sampler": "random"}, architectures={})
    assert several.refused == ("training.epochs: 30 → 31", "search.seed: 0 → 1")
    assert several.allowed == (
        "architectures.small: removed",
        "architectures.large: removed",
        "search.sampler: tpe → random",
    )
    assert several.words == several.refused + several.allowed


RANGES = st.tuples(st.integers(1, 60), st.integers(1, 60)).map(sorted)


@given(RANGES, st.integers(0, 4), st.integers(0, 4), st.sampled_from([None, "epochs", "source"]))
def test_a_widened_range_is_always_allowed_a_changed_data_or_training_word_never(ends, below, above, word):
    low, high = ends
    wider = {"low": max(1, low - below), "high": high + above}
    before = space(**dense(depth={"low": low, "high": high}))
    others = {"epochs": {"training": {"epochs": 31}}, "source": {"data": "mnist"}}
    after = space(**dense(depth=wider), **others.get(word, {}))
    found = edit_between(before, after)
    changed = wider != {"low": low, "high": high}
    assert len(found.allowed) == changed
    assert len(found.refused) == (word is not None)


def test_words_of_another_version_are_compared_as_they_are():
    now = space().identity
    later = now | {"data": now["data"] | {"shuffle": True}, "fairness": 3}
    assert changed_words(later, now) == ("data.shuffle: true → none", "fairness: 3 → none")
    assert changed_words(later, later) == ()
