"""A further seed of an architecture re-uses its compiled model, and is as if trained alone."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from answers import at_once

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.data.sources import load
from archsearch.models import build, reinitialise
from archsearch.records import Augmentation, Ending, Recipe, Status, Training
from archsearch.space.data_words import Data
from archsearch.training import train

pytestmark = pytest.mark.slow

DENSE = Architecture("dense", (DenseBlock(32, 0.5, "relu", True), DenseBlock(16)))
CNN = Architecture(
    "cnn",
    (DenseBlock(8, 0.5),),
    (ConvBlock(4, 3, dropout=0.2, batch_norm=True), ConvBlock(4, 3, layer="separable_conv2d", l2=1e-2)),
)
AUGMENTATION = Augmentation("both", 0.1, 0.1, 0.1)
RECIPE = Recipe(3, 64, "adam", 3e-3, None, schedule="cosine")

ALONE = """
import json, sys
from pathlib import Path
from test_seeds_of_a_training import ended_epochs
print(json.dumps(ended_epochs((1,), Path(sys.argv[1]))[1]))
"""


def ended_epochs(seeds, models):
    """What is recorded of each seed's epochs, but for times."""
    training = Training(0, DENSE, RECIPE, seeds)
    runs = list(train(training, load(Data(source="digits")), at_once(lambda *_: None), models, Path()))
    assert {run.status for run in runs} == {Status.COMPLETED}, runs[-1].reason
    return {
        run.seed: [[e.train_loss, e.train_loss_eval, e.val_loss, e.auc, e.learning_rate] for e in run.epochs]
        for run in runs
    }


@pytest.mark.parametrize(
    ("architecture", "augmentation"), [(DENSE, Augmentation()), (CNN, AUGMENTATION)], ids=["dense", "cnn"]
)
def test_a_model_initialised_anew_is_as_one_built_with_the_seed(architecture, augmentation):
    def variables(model):
        return [keras.ops.convert_to_numpy(variable) for variable in model.variables]

    keras.utils.set_random_seed(7)
    wanted = variables(build(architecture, (8, 8, 1), 10, augmentation))
    keras.utils.set_random_seed(8)
    model = build(architecture, (8, 8, 1), 10, augmentation)
    for variable in model.variables:
        variable.assign(np.ones(variable.shape, variable.dtype))
    random.seed(7)
    reinitialise(model, architecture, 10, augmentation)
    for found, value in zip(variables(model), wanted, strict=True):
        assert np.array_equal(found, value)


def test_a_further_seed_equals_the_same_seed_alone_in_a_fresh_process(tmp_path):
    together = ended_epochs((0, 1), tmp_path)
    words = [sys.executable, "-c", ALONE, str(tmp_path)]
    done = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    alone = json.loads(done.stdout.splitlines()[-1])
    if keras.backend.backend() == "tensorflow":
        assert together[1] == alone
    else:  # seeds are trained together: sums are taken in another order
        assert np.array(together[1]) == pytest.approx(np.array(alone), rel=1e-3)
    assert together[0] != together[1]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends have loops of their own")
def test_nothing_is_traced_again_for_a_further_seed(digits, tmp_path, monkeypatch):
    traced = []
    step = keras.Model.train_step

    def counting(model, data):
        traced.append(data)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counting)
    training = Training(0, DENSE, RECIPE, (0, 1, 2))
    counts = [len(traced) for _ in train(training, digits, at_once(lambda *_: None), tmp_path, Path())]
    assert counts == [counts[0]] * 3


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_fused_steps_are_those_of_keras(optimizer, digits):
    """The last digits of a sum apart."""
    pytest.importorskip("tensorflow")
    from archsearch.models import compile_model

    x, y = (part[digits.split.train] for part in (digits.x.stored, digits.y))
    weights = []
    for fused in (False, True):
        keras.utils.set_random_seed(5)
        model = build(CNN, (8, 8, 1), 10)
        recipe = replace(RECIPE, optimizer=optimizer, weight_decay=0.05)
        compile_model(model, recipe, 4, fused=fused)
        for step in range(4):
            rows = slice(64 * step, 64 * (step + 1))
            model.train_on_batch(x[rows], y[rows])
        weights.append(model.get_weights())
    for keras_own, ours in zip(*weights, strict=True):
        assert ours == pytest.approx(keras_own, rel=1e-4, abs=1e-6)


def test_each_seed_is_told_by_its_number_and_delivers_its_own_model(digits, tmp_path):
    told = []
    training = Training(4, DENSE, replace(RECIPE, epochs=2), (3, 5))
    runs = list(
        train(training, digits, at_once(lambda seed, e: told.append((seed, e.epoch))), tmp_path, Path())
    )
    assert sorted(told) == [(3, 1), (3, 2), (5, 1), (5, 2)]
    assert [run.model for run in runs] == ["trial-4-seed-3.keras", "trial-4-seed-5.keras"]
    x = digits.x.take(digits.split.val)
    for run in runs:
        predicted = keras.saving.load_model(tmp_path / run.model).predict(x, verbose=0)
        assert predicted == pytest.approx(run.probabilities, abs=1e-5)


def test_the_first_seed_without_a_result_is_the_last(digits, tmp_path):
    def pruned(seed, epoch):
        return Ending(Status.PRUNED, "worse than others") if seed == 1 and epoch.epoch == 2 else None

    runs = list(train(Training(0, DENSE, RECIPE, (0, 1, 2)), digits, at_once(pruned), tmp_path, Path()))
    assert [(run.seed, run.status) for run in runs] == [(0, Status.COMPLETED), (1, Status.PRUNED)]
    assert [path.name for path in tmp_path.iterdir()] == ["trial-0-seed-0.keras"]
