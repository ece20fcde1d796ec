"""On JAX: the seeds of a training in one program, held against each seed alone by Keras' fit."""

import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from archsearch.records import Status

pytestmark = pytest.mark.slow

SEEDS = (3, 5, 4)
LOSSES = ("train_loss", "train_loss_eval", "val_loss")


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """What comes of several trainings in one process on JAX, and the folder of its models."""
    pytest.importorskip("jax", reason="the extra 'jax' is not installed")
    folder = tmp_path_factory.mktemp("seeds")
    words = [sys.executable, str(Path(__file__).with_name("seeds_on_jax.py")), str(folder)]
    # The same programs are compiled once for several trainings.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "cache")}
    cache["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    import os

    done = subprocess.run(
        words, env={**os.environ, "KERAS_BACKEND": "jax", **cache}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return pickle.loads((folder / "results.pickle").read_bytes()), folder


def values(run, names=LOSSES):
    return np.array([[getattr(epoch, name) for name in names] for epoch in run.epochs])
