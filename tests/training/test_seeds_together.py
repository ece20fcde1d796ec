"""On JAX: the seeds of a training in one program, held against each seed alone by Keras' ``fit``."""

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from archsearch.records import Status

pytestmark = pytest.mark.slow

SEEDS = (3, 5, 4)
SCRIPT = Path(__file__).with_name("seeds_on_jax.py")
LOSSES = ("train_loss", "train_loss_eval", "val_loss")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a process on JAX leaves its models."""
    if find_spec("jax") is None:
        pytest.skip("the extra 'jax' is not installed")
    folder = tmp_path_factory.mktemp("seeds")
    on_jax = {
        "KERAS_BACKEND": "jax",
        # Compiling is most of the time: programs that trainings share are compiled once, and all quickly.
        "XLA_FLAGS": "--xla_backend_optimization_level=1",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    words = [sys.executable, "-W", "error::UserWarning", str(SCRIPT), str(folder)]
    done = subprocess.run(words, env={**os.environ, **on_jax}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def results(folder):
    return pickle.loads((folder / "results.pickle").read_bytes())


def curves(run, names=LOSSES):
    return np.array([[getattr(epoch, name) for name in names] for epoch in run.epochs])


# With dropout, batch normalisation, penalties; a rate that is lowered and early stopping; a convolution with
# augmentation, class weights, a cosine and 16 bits; and nothing of all that.
@pytest.mark.parametrize(("name", "tolerance"), [("dense", 2e-3), ("cnn", 2e-3), ("plain", 1e-5)])
def test_seeds_trained_together_equal_each_seed_alone(results, name, tolerance):
    together, alone = results[name]
    assert [run.seed for run in together] == list(SEEDS)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(curves(one), curves(other), rtol=tolerance)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=tolerance)
        assert one.delivered_epoch == other.delivered_epoch


def test_each_seed_stops_early_by_itself_and_has_its_own_learning_rate(results):
    together, alone = results["dense"]
    assert [len(run.epochs) for run in together] == [len(run.epochs) for run in alone]
    assert all(run.early_stopped for run in together)
    assert len({len(run.epochs) for run in together}) > 1
    rates = [curves(run, ("learning_rate",)) for run in together]
    assert all(rate[0] > rate[-1] for rate in rates)
    for rate, run in zip(rates, alone, strict=True):
        np.testing.assert_allclose(rate, curves(run, ("learning_rate",)), rtol=1e-6)


def test_a_cosine_falls_in_the_program(results):
    together, alone = results["cnn"]
    rates = curves(together[0], ("learning_rate",))
    assert (np.diff(rates, axis=0) < 0).all()
    np.testing.assert_allclose(rates, curves(alone[0], ("learning_rate",)), rtol=1e-6)


def test_a_first_seed_that_is_pruned_ends_all(results):
    runs, told = results["first pruned"]
    assert [(run.seed, run.status) for run in runs] == [(3, Status.PRUNED)]
    assert told == [(3, 1), (5, 1), (4, 1), (3, 2)]


def test_seeds_before_one_that_is_pruned_go_on_and_those_after_it_do_not(results):
    runs, told = results["second pruned"]
    assert [(run.seed, run.status) for run in runs] == [(3, Status.COMPLETED), (5, Status.PRUNED)]
    assert told == [(3, 1), (5, 1), (4, 1), (3, 2), (5, 2), (3, 3), (3, 4)]


def test_a_nan_of_one_seed_is_no_other_seeds(results):
    (undisturbed, *_), _ = results["plain"]
    first, second, third = results["nan"]
    np.testing.assert_array_equal(curves(first), curves(undisturbed))
    assert (second.status, len(second.epochs)) == (Status.DIVERGED, 3)
    assert len(third.epochs) == 2


def test_a_first_seed_without_numbers_is_the_only_one(results):
    (run,), told = results["all nan"]
    assert run.status is Status.DIVERGED
    assert "at epoch 1" in run.reason
    assert told == [(3, 1)]


def test_seeds_that_are_too_large_together_are_trained_one_after_the_other(results):
    runs = results["too large together"]
    assert [(run.seed, run.status) for run in runs] == [(seed, Status.COMPLETED) for seed in SEEDS]
    assert not any("seeds_together" in run.environment for run in runs)
    for run, other in zip(runs, results["plain"][1], strict=True):
        np.testing.assert_allclose(curves(run), curves(other), rtol=1e-5)


@pytest.mark.parametrize("name", ["dense", "cnn"])
def test_a_model_saved_under_jax_predicts_the_recorded_probabilities_under_tensorflow(folder, results, name):
    import keras

    assert keras.backend.backend() == "tensorflow"
    samples = np.load(folder / "validation.npy")
    for run in results[name][0]:
        predicted = keras.saving.load_model(folder / run.model).predict(samples, verbose=0)[:, 0]
        # The convolution computes in 16 bits.
        np.testing.assert_allclose(predicted, run.probabilities[:, 1], atol=1e-5 if name == "dense" else 5e-3)


def test_the_environment_says_how_many_seeds_were_trained_together(results):
    run = results["plain"][0][0]
    assert (run.environment["backend"], run.environment["seeds_together"]) == ("jax", 3)
    assert run.environment["jit_compile"]


def test_seeds_share_the_time_of_their_program(results):
    runs = results["plain"][0]
    seconds = [run.seconds for run in runs]
    assert max(seconds) < 2 * min(seconds)
    assert all(run.seconds > sum(epoch.seconds for epoch in run.epochs) for run in runs)
