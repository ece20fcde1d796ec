"""Any fit ends with its verdict, and no fit ends otherwise for it."""

import keras
import numpy as np
import pytest

import archsearch
from archsearch.diagnosis import Verdict
from archsearch.errors import DataError
from archsearch.ranking import deciding

EPOCHS = 8


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Two classes that nothing tells apart."""
    random = np.random.default_rng(0)
    return random.normal(size=(64, 8)).astype("float32"), random.integers(0, 2, 64)


def fitted(data, learning_rate=0.01, validated=True, **words):
    """Lines printed in a fit, and its callback."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(learning_rate), loss, run_eagerly=True)  # quicker, so small
    lines: list[str] = []
    callback = archsearch.DiagnosisCallback(print_fn=lines.append, **words.pop("known", {}))
    words = {"epochs": EPOCHS, "verbose": 0} | words
    others = words.pop("callbacks", [])
    if validated:
        words |= {"validation_split": 0.5}
    model.fit(*data, callbacks=[*others, callback], **words)
    return lines, callback


def test_a_word_that_is_not_known_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(DataError, match="n_validation"):
        archsearch.DiagnosisCallback(n_validation=100)


@pytest.mark.slow
def test_a_fit_ends_with_verdict_grounds_and_what_is_missing(data) -> None:
    lines, callback = fitted(data, known={"n_val": 32})
    diagnosis = callback.diagnosis
    assert lines[0].startswith(f"archsearch: {diagnosis.verdict.value.replace('_', ' ')}")
    assert lines[1].strip() == deciding(diagnosis).message
    assert "prior_entropy" in lines[-1]
    assert "n_val" not in lines[-1]
    assert "early_stopped" not in diagnosis.missing


@pytest.mark.slow
def test_a_fit_without_validation_is_told_what_it_lacks(data) -> None:
    lines, callback = fitted(data, validated=False)
    assert callback.diagnosis.verdict is Verdict.INCONCLUSIVE
    assert callback.diagnosis.missing == ("val_loss",)
    assert lines[0] == "archsearch: inconclusive"
    assert "validation_split" in lines[1]


@pytest.mark.slow
def test_a_fit_that_another_callback_ended_after_its_best_epoch_was_stopped_early(data) -> None:
    stop = keras.callbacks.EarlyStopping("val_loss", patience=4)
    _, callback = fitted(data, learning_rate=0.5, epochs=40, callbacks=[stop])
    assert stop.stopped_epoch
    assert "early_stopped" in callback.diagnosis.flags


@pytest.mark.slow
def test_a_fit_that_ends_in_nan_is_diverged_and_not_stopped_early(data) -> None:
    lines, callback = fitted(data, learning_rate=1e30, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert callback.diagnosis.verdict is Verdict.DIVERGED
    assert lines[0].startswith("archsearch: diverged")
    assert "early_stopped" not in callback.diagnosis.flags


@pytest.mark.slow
def test_epochs_that_were_not_validated_are_no_divergence(data) -> None:
    _, callback = fitted(data, epochs=3 * EPOCHS - 1, validation_freq=3)
    assert callback.diagnosis.verdict is not Verdict.DIVERGED


@pytest.mark.slow
def test_a_second_fit_is_judged_by_itself(data) -> None:
    _, callback = fitted(data)
    callback.model.fit(*data, validation_split=0.5, epochs=2, verbose=0, callbacks=[callback])
    assert callback.diagnosis.verdict is Verdict.INCONCLUSIVE
    assert "epochs" in callback.diagnosis.missing


@pytest.mark.slow
def test_no_error_of_the_callback_reaches_the_fit(data) -> None:
    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    _, callback = fitted(data)
    callback._print = broken
    history = callback.model.fit(*data, validation_split=0.5, epochs=2, verbose=0, callbacks=[callback])
    assert len(history.history["val_loss"]) == 2
