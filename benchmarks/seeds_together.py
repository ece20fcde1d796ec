"""Eight seeds of one stack in one program on JAX, beside eight separate Keras ``fit``s on JAX.

``.venv/bin/python benchmarks/seeds_together.py [WIDTHS] [--rounds N]``, where WIDTHS is the stack,
``32,64,128`` if it is not given. Digits, 20 epochs, batch 64, batch normalisation and dropout. Each side runs
in a fresh process per round; libraries are imported before the time begins, building, compiling and (ours)
saving the models lie within. The peer validates with ``validation_data``; ours measures train and validation
loss, and records.
Exits 1 where the figure is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from environment import environment_line

SEEDS = 8
REACH = 0.35
SIDES = ("separate fits", "one program")


def side(name: str, widths: tuple[int, ...]) -> None:
    """Train all seeds in this process, and print the seconds it took and the validation losses."""
    import tempfile
    import time
    from pathlib import Path

    import jax
    import keras

    from archsearch.architecture import Architecture, DenseBlock
    from archsearch.data.sources import load
    from archsearch.models import build, compile_model
    from archsearch.records import Recipe, Training
    from archsearch.space.data_words import Data
    from archsearch.training import train

    dataset = load(Data(source="digits"))
    blocks = tuple(DenseBlock(width, dropout=0.2, batch_norm=True) for width in widths)
    architecture = Architecture("dense", dense=blocks)
    recipe = Recipe(epochs=20, batch_size=64, optimizer="adam", learning_rate=1e-3, patience=None)
    split, seeds = dataset.split, tuple(range(SEEDS))
    x, y, x_val, y_val = (
        part for rows in (split.train, split.val) for part in (dataset.x.take(rows), dataset.y[rows])
    )
    keras.utils.set_random_seed(0)  # imports TensorFlow where it is installed
    jax.numpy.zeros(1).block_until_ready()

    def separate(_folder: Path) -> list[float]:
        losses = []
        for seed in seeds:
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = build(architecture, dataset.shape.input_shape, 10)
            compile_model(model, recipe, -(-len(y) // recipe.batch_size))
            words = {"batch_size": recipe.batch_size, "epochs": recipe.epochs, "verbose": 0}
            losses.append(model.fit(x, y, validation_data=(x_val, y_val), **words).history["val_loss"][-1])
        return losses

    def together(folder: Path) -> list[float]:
        training = Training(0, architecture, recipe, seeds)
        runs = list(train(training, dataset, lambda _seed, _epoch: lambda _seconds: None, folder, folder))
        return [run.epochs[-1].val_loss for run in runs]

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        losses = (separate if name == SIDES[0] else together)(Path(folder))
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "losses": losses, "device": str(jax.devices()[0])}))


def measured(name: str, widths: str) -> dict[str, object]:
    words = [sys.executable, __file__, widths, "--side", name]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(widths: str, count: int) -> int:
    print(environment_line("keras", "jax"), flush=True)
    rounds = [{name: measured(name, widths) for name in SIDES} for _ in range(count)]
    device = rounds[0][SIDES[0]]["device"]
    print(f"{SEEDS} seeds of {widths}, {count} rounds, medians, {device}")
    for name in SIDES:
        seconds = statistics.median(each[name]["seconds"] for each in rounds)
        loss = statistics.mean(rounds[0][name]["losses"])
        print(f"{name:<16}{seconds:>9.2f} s   mean validation loss {loss:.3f}")
    ratio = statistics.median(each[SIDES[1]]["seconds"] / each[SIDES[0]]["seconds"] for each in rounds)
    print(f"{'ratio':<16}{ratio:>9.2f}     at most {REACH}")
    return int(ratio > REACH)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("widths", nargs="?", default="32,64,128")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        side(given.side, tuple(map(int, given.widths.split(","))))
    else:
        sys.exit(main(given.widths, given.rounds))
