"""Seconds per epoch of a small CNN on a folder of images: archsearch beside a tuned tf.data and fit.

    python benchmarks/folder.py FOLDER

FOLDER has ``train`` and ``val`` with a folder of grey images for each of two classes. archsearch trains by
its command with one worker; an epoch lasts from the end of the one before to its own, as recorded: it also
measures both losses in inference mode, on the validation images and on as many training images, and waits for
the driver's answer. The peer reads the same files with
``image_dataset_from_directory``, decodes and scales them once (``cache``), shuffles, prefetches, and calls
``fit`` with the validation images, for the same network and batch size. The sides take turns, in processes of
their own; medians over all epochs after each process's first.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from environment import environment_line

from archsearch.study import Record

ROUNDS, EPOCHS, BATCH_SIZE, SIDE = 2, 6, 32, 96
LIMIT = 1.0
FILTERS, WIDTH = (16, 32, 64), 64

SPACE = """\
name: folder
data: {{image_folder: {folder}, image_size: [{side}, {side}], color: grayscale}}
architectures: {{small: {line}}}
training: {{epochs: {epochs}, batch_size: {batch_size}}}
execution: {{workers: 1}}
"""


def ours(images: Path) -> list[float]:
    """Seconds of the epochs after the first, as recorded."""
    line = f"conv {'·'.join(map(str, FILTERS))} 3×3 max → flatten → dense {WIDTH}"
    with tempfile.TemporaryDirectory() as folder:
        space = SPACE.format(
            folder=json.dumps(str(images)), side=SIDE, line=line, epochs=EPOCHS, batch_size=BATCH_SIZE
        )
        Path(folder, "folder.yaml").write_text(space)
        words = [sys.executable, "-m", "archsearch", "run", "folder.yaml", "--quiet"]
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (path,) = Path(folder).glob("mlruns/searches/*/record.sqlite")
        with Record.open(path, read_only=True) as record:
            (trial,) = record.trials()[0]
    ends = [epoch.ended_at for epoch in trial.runs[0].epochs]
    return [end - before for before, end in pairwise(ends)]


def theirs(images: Path) -> list[float]:
    """The same of the peer, in a process of its own."""
    words = [sys.executable, __file__, "fit", str(images)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


def fit(images: Path) -> None:
    """Print the seconds of all epochs but the first."""
    import time

    import keras
    import tensorflow as tf
    from keras import layers

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        seconds: list[float] = []  # noqa: RUF012 - one clock in this process

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            self.seconds.append(time.perf_counter() - self.started)

    def part(name: str) -> Any:
        batches = keras.utils.image_dataset_from_directory(
            str(images / name), color_mode="grayscale", image_size=(SIDE, SIDE), batch_size=None,
            shuffle=False, verbose=False,
        )  # fmt: skip
        return batches.map(lambda x, y: (x / 255, y), num_parallel_calls=tf.data.AUTOTUNE).cache()

    keras.utils.set_random_seed(0)
    train, val = part("train"), part("val")
    train = train.shuffle(int(train.cardinality()))
    train, val = (each.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE) for each in (train, val))
    blocks = [layer for filters in FILTERS for layer in (
        layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)
    )]  # fmt: skip
    head = [layers.Flatten(), layers.Dense(WIDTH, "relu"), layers.Dense(1, "sigmoid")]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), *blocks, *head])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    clock = Clock()
    model.fit(train, validation_data=val, epochs=EPOCHS, callbacks=[clock], verbose=0)
    print(json.dumps(clock.seconds[1:]))


def main(words: Sequence[str]) -> int:
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    if words[0] == "fit":
        fit(Path(words[1]))
        return 0
    images = Path(words[0]).resolve()
    counts = {part: sum(path.is_file() for path in (images / part).rglob("*")) for part in ("train", "val")}
    print(environment_line("tensorflow", "keras"))
    print(f"{counts['train']} images to train with and {counts['val']} to validate, batches of {BATCH_SIZE}")
    pairs = [(ours(images), theirs(images)) for _ in range(ROUNDS)]
    medians = [statistics.median(chain.from_iterable(column)) for column in zip(*pairs, strict=True)]
    ratio = medians[0] / medians[1]
    print(f"seconds per epoch: archsearch {medians[0]:.2f}, tf.data and fit {medians[1]:.2f}; ", end="")
    print(f"ratio {ratio:.2f} (limit {LIMIT})")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
