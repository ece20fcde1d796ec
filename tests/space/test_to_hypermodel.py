"""A family as a HyperModel that KerasTuner's own tuners search."""

from pathlib import Path

import numpy as np
import pytest

from archsearch.errors import Refused
from archsearch.space import SearchSpace

keras_tuner = pytest.importorskip("keras_tuner")

WORDS = {
    "name": "tuned",
    "data": "digits",
    "families": {
        "dense": {
            "ordering": ["falling", "rising"],
            "depth": {"low": 1, "high": 3},
            "narrowest": [8, 16],
            "widest": {"low": 16, "high": 64, "log": True},
            "batch_norm": [True, False],
            "dropout": {"rising": [0.0, 0.5], "falling": {"low": 0.0, "high": 0.5}},
        },
        "cnn": {"blocks": [1, 2], "filters": {"first": [4, 8]}},
        "mine": {"hypermodel": "hypermodels_of_a_user:Stack"},
    },
    "training": {
        "epochs": 2,
        "batch_size": [32, 64],
        "optimizer": ["adam", "sgd"],
        "learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
        "schedule": ["constant", "cosine"],
    },
}
SPACE = SearchSpace.from_mapping(WORDS)


def test_a_family_builds_compiled_models_of_the_datas_shape() -> None:
    model = SPACE.to_hypermodel("cnn").build(keras_tuner.HyperParameters())
    assert model.compiled
    assert (model.input_shape, model.output_shape) == ((None, 8, 8, 1), (None, 10))


def test_a_family_builds_for_the_shape_it_is_given() -> None:
    model = SPACE.to_hypermodel("dense", input_shape=(5,), classes=2).build(keras_tuner.HyperParameters())
    assert (model.input_shape, model.output_shape) == ((None, 5), (None, 1))


def test_hyperparameters_have_the_names_they_have_in_archsearch() -> None:
    hp = keras_tuner.HyperParameters()
    SPACE.to_hypermodel("dense").build(hp)
    assert {"dense.depth", "dense.batch_norm", "dense.dropout.falling", "training.learning_rate"} <= set(
        hp.values
    )


def test_a_hyperparameters_value_is_the_models() -> None:
    hp = keras_tuner.HyperParameters()
    hypermodel = SPACE.to_hypermodel("dense", input_shape=(4,), classes=3)
    hp.values |= {
        "dense.depth": 1,
        "dense.widest": 40,
        "dense.batch_norm": False,
        "training.optimizer": "sgd",
    }
    model = hypermodel.build(hp)
    assert model.count_params() == 4 * 40 + 40 + 40 * 3 + 3
    assert type(model.optimizer).__name__ == "SGD"


@pytest.mark.parametrize(
    ("family", "said"), [("mine", "a HyperModel already"), ("rnn", "no family 'rnn'; it has: dense, cnn")]
)
def test_a_family_that_is_none_of_the_languages_is_refused(family: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        SPACE.to_hypermodel(family)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tensorboard's and protobuf's own
@pytest.mark.parametrize(
    ("kind", "objective"), [("RandomSearch", "val_loss"), ("BayesianOptimization", "val_accuracy")]
)
def test_kerastuners_own_tuners_search_a_family(kind: str, objective: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    random = np.random.default_rng(0)
    x, y = random.random((96, 8, 8, 1), dtype=np.float32), random.integers(0, 10, 96)
    tuner = getattr(keras_tuner, kind)(
        SPACE.to_hypermodel("dense"), objective, max_trials=3, directory=tmp_path, overwrite=True, seed=1
    )
    tuner.search(x, y, validation_data=(x, y), verbose=0)
    trials = list(tuner.oracle.trials.values())
    assert [trial.status for trial in trials] == ["COMPLETED"] * 3
    assert len({str(trial.hyperparameters.values) for trial in trials}) == 3
