"""Diagnoses, architectures and recipes of every kind, for tests of what is advised."""

import math

import hypothesis.strategies as st
from any_blocks import conv_blocks, dense_blocks

from archsearch.architecture import Architecture, DenseBlock, HyperModelArchitecture
from archsearch.diagnosis import Diagnosis, Finding, Verdict
from archsearch.records import Augmentation, DataSummary, Recipe
from archsearch.remedies import ADVICE

RECIPE = Recipe(epochs=60, batch_size=32, optimizer="adam", learning_rate=1e-3, patience=None)
FALLING = Architecture("dense", tuple(DenseBlock(width, 0.5) for width in (1024, 512, 256, 128, 64)))
OF_A_USER = HyperModelArchitecture("mine", "mine:Stack", (("units", 64), ("dropout", 0.5)))
MARKS = sorted({mark for row in ADVICE.values() for each in row for mark in (each.only_with, each.unless)})


def data_of(shape=(28, 28, 1), classes=2, prior_entropy=0.5):
    names = tuple(map(str, range(classes)))
    return DataSummary("made", shape, names, 4000, 1000, 1000, 1000, prior_entropy, "0" * 16)


def diagnosed(verdict, *marks):
    """A diagnosis with that verdict, whose first finding has each mark as its code, or as a flag."""
    code = next((mark for mark in marks if mark.startswith("AS")), "AS999")
    finding = Finding(code, "Made", "fault", {}, "The curve is as it is.")
    return Diagnosis(verdict, verdict, tuple(marks), (finding,), 0, ())


architectures = st.one_of(
    st.builds(Architecture, st.just("dense"), st.lists(dense_blocks, min_size=1, max_size=12).map(tuple)),
    st.builds(
        Architecture,
        st.just("cnn"),
        st.lists(dense_blocks, max_size=3).map(tuple),
        st.lists(conv_blocks, min_size=1, max_size=5).map(tuple),
        st.sampled_from(["flatten", "global_average", "global_max"]),
    ),
)
rates = st.floats(1e-30, 100)
shares = st.sampled_from([0.0, 0.1, 0.5])
recipes = st.builds(
    Recipe,
    epochs=st.integers(1, 100_000),
    batch_size=st.integers(1, 65_536),
    optimizer=st.sampled_from(["adam", "rmsprop"]),
    learning_rate=rates,
    patience=st.none() | st.integers(1, 1_000),
    schedule=st.sampled_from(["constant", "cosine", "plateau"]),
    precision=st.sampled_from(["float32", "mixed_float16", "mixed_bfloat16"]),
    augmentation=st.builds(Augmentation, st.sampled_from(["none", "both"]), shares, shares, shares),
    class_weights=st.sampled_from(["as_given", "balanced"]),
) | st.builds(
    Recipe, st.just(30), st.just(32), st.just("adamw"), rates, st.none(), weight_decay=st.floats(0, 10)
) | st.builds(
    Recipe, st.just(30), st.just(32), st.just("sgd"), rates, st.none(), momentum=st.floats(0, 0.9)
)  # fmt: skip
diagnoses = st.builds(
    lambda verdict, marks: diagnosed(verdict, *marks),
    st.sampled_from(Verdict),
    st.lists(st.sampled_from([mark for mark in MARKS if mark]), unique=True),
)
data_sets = st.none() | st.builds(
    data_of,
    st.sampled_from([(8, 8, 1), (28, 28, 1), (180, 180, 3)]),
    st.just(2),
    st.sampled_from([0.3, math.log(2)]),
)
