"""What is advised can be trained, and balanced class weights are those of the training part."""

from dataclasses import replace

import numpy as np
import pytest
from remedied import RECIPE, diagnosed

from archsearch.data.weights import class_weights
from archsearch.diagnosis import Verdict
from archsearch.notation import parse
from archsearch.records import Status
from archsearch.remedies import remedies

pytestmark = pytest.mark.slow

SMALL = parse("dense 16")
CNN = parse("conv 4 3×3 max → flatten → dense 8·8")
FROZEN = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1}


@pytest.fixture(scope="module")
def zeros(digits):
    """The digits, told apart as zero or not: a tenth against nine."""
    shape = replace(digits.shape, classes=("other", "zero"))
    return replace(digits, y=(digits.y == 0).astype(np.int64), shape=shape)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.OVERFIT, "raise-weight-decay"),
        (Verdict.UNDERFIT, "more-blocks"),
    ],
)
def test_an_advised_network_is_trained_by_its_advised_recipe(zeros, tmp_path, trained_once, verdict, code):
    recipe = replace(RECIPE, epochs=2, batch_size=256)
    found = remedies(diagnosed(verdict), CNN, recipe)
    remedy = next(each for each in found if each.code == code)
    words = {name: getattr(remedy.recipe, name) for name in remedy.recipe.__dataclass_fields__}
    run = trained_once(remedy.architecture, zeros, tmp_path, **words)
    assert run.status is Status.COMPLETED, run.reason
    assert len(run.epochs) == 2


def test_balanced_class_weights_are_of_the_training_part_and_replace_those_of_the_data(
    zeros, tmp_path, trained_once
):
    """At a learning rate of nothing the weights of the network stay: losses can be compared."""
    balanced = class_weights("balanced", zeros.y[zeros.split.train], ("other", "zero"))

    def train_loss(dataset, **words):
        run = trained_once(SMALL, dataset, tmp_path, **FROZEN, **words)
        return run.epochs[0].train_loss

    advised = train_loss(replace(zeros, class_weights={0: 7.0}), class_weights="balanced")
    assert advised == pytest.approx(train_loss(replace(zeros, class_weights=balanced)), rel=1e-5)
    assert advised != pytest.approx(train_loss(zeros), rel=1e-2)
