"""archsearch.diagnose: whatever holds a history is judged alike."""

from pathlib import Path
from types import SimpleNamespace

import curve_shapes
import numpy as np
import pandas as pd
import pytest

import archsearch
from archsearch.diagnosis import Context, Curves, diagnose
from archsearch.errors import DataError
from archsearch.histories import recorded

CURVES = curve_shapes.overfit()
HISTORY = {"loss": list(CURVES.train_loss), "val_loss": list(CURVES.val_loss), "accuracy": [0.5] * 60}
EXPECTED = diagnose(Curves(CURVES.train_loss, CURVES.val_loss), Context(n_val=2000))


def keras_history(epochs: int = 60) -> SimpleNamespace:
    """What ``fit`` returns, as far as it is looked at; a real one is judged in the tests of the command."""
    return SimpleNamespace(history=HISTORY, params={"epochs": epochs, "steps": 3}, epoch=list(range(60)))


@pytest.mark.parametrize(
    "kind", ["history", "mapping", "frame", "indexed", "arrays", "curves", "csv", "text"]
)
def test_every_kind_of_history_is_judged_alike(kind: str, tmp_path: Path) -> None:
    frame, path = pd.DataFrame(HISTORY), tmp_path / "history.csv"
    frame.rename_axis("epoch").to_csv(path)
    history = {
        "history": keras_history(),
        "mapping": HISTORY,
        "frame": frame,
        "indexed": frame.rename_axis("epoch").sample(frac=1, random_state=0),
        "arrays": {name: np.array(values, dtype=np.float64) for name, values in HISTORY.items()},
        "curves": Curves(CURVES.train_loss, CURVES.val_loss),
        "csv": path,
        "text": str(path),
    }[kind]
    assert archsearch.diagnose(history, n_val=2000) == EXPECTED


def test_a_keras_history_says_how_many_epochs_were_planned() -> None:
    assert recorded(keras_history(epochs=200)).context.planned_epochs == 200
    assert recorded(keras_history(epochs=200), planned_epochs=80).context.planned_epochs == 80


def test_single_values_of_a_mapping_hold_for_the_whole_curve() -> None:
    context = recorded(
        {**HISTORY, "n_val": 300, "early_stopped": True}, reference_loss=np.float32(0.5)
    ).context
    assert context == Context(n_val=300, early_stopped=True, reference_loss=0.5)


def test_words_count_before_what_the_history_says_and_none_is_not_known() -> None:
    context = recorded({**HISTORY, "n_val": 300, "dropout": 0.5}, n_val=500, dropout=None).context
    assert context == Context(n_val=500)
    assert recorded(HISTORY, class_frequencies=[0.25, 0.75]).context.class_frequencies == (0.25, 0.75)


@pytest.mark.parametrize(
    ("history", "words", "message"),
    [
        ([0.5, 0.4], {}, "diagnose: got a list; give a Keras History, "),
        (None, {}, "diagnose: got a NoneType; "),
        ({}, {}, "history: no list called loss or val_loss; the names are none"),
        (pd.DataFrame({"loss": [1.0]}), {}, "history: no column val_loss; the columns are loss"),
        (HISTORY, {"nval": 3}, "diagnose: unknown argument nval; there are prior_entropy, "),
        (HISTORY, {"n_val": "many"}, "diagnose: n_val is 'many', which is no number"),
        (HISTORY, {"n_val": 0}, "diagnose: n_val is 0, which is no whole number from 1 up"),
        (HISTORY, {"delivered_epoch": 2.5}, "diagnose: delivered_epoch is 2.5, which is no whole number"),
        (HISTORY, {"delivered_epoch": 61}, "delivered_epoch is 61, but there are 60 epochs"),
        (HISTORY, {"delivered_epoch": 1e300}, "delivered_epoch is 1e+300, which is no whole number"),
        (HISTORY, {"planned_epochs": 59}, "planned_epochs is 59, but there are 60 epochs"),
        (HISTORY, {"prior_entropy": -0.1}, "prior_entropy is -0.1, which is not above 0"),
        (HISTORY, {"best_val_loss": float("inf")}, "best_val_loss is inf, which is not finite"),
        (HISTORY, {"class_frequencies": [0, 0]}, "class_frequencies is [0, 0], which is no list of shares"),
        (HISTORY, {"class_frequencies": 0.5}, "class_frequencies is 0.5, which is no list of shares"),
        ("no/such/file.csv", {}, "no/such/file.csv: no such file"),
        ({**HISTORY, "epoch": [1] * 60}, {}, "curve history: epoch 1 is there 60 times, in rows 1, 2"),
        (
            pd.DataFrame({"curve": ["a", "b"], "epoch": 1, "loss": 1.0, "val_loss": 1.0}),
            {},
            "history: holds 2 curves, a, b; diagnose takes one at a time",
        ),
    ],
)  # fmt: skip
def test_what_can_t_be_judged_is_refused_with_what_was_received(history, words: dict, message: str) -> None:
    with pytest.raises(DataError) as refused:
        archsearch.diagnose(history, **words)
    assert message in str(refused.value)


def test_a_frame_of_the_caller_stays_as_it_is() -> None:
    frame = pd.DataFrame(HISTORY)
    before = frame.copy()
    archsearch.diagnose(frame)
    pd.testing.assert_frame_equal(frame, before)
