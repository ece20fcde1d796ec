from dataclasses import replace

import pytest

from archsearch.architecture import Architecture
from archsearch.records import Recipe

pytestmark = pytest.mark.slow

RECIPE = Recipe(epochs=10, batch_size=32, optimizer="adam", learning_rate=0.02, patience=None)


def compiled(classes=3, **words):
    from archsearch.models import build, compile_model

    model = build(Architecture("dense"), (4,), classes)
    compile_model(model, replace(RECIPE, **words), steps_per_epoch=7)
    return model


@pytest.mark.parametrize(
    ("words", "kind", "settings"),
    [
        ({"optimizer": "adam"}, "Adam", {"weight_decay": None}),
        ({"optimizer": "adamw", "weight_decay": 0.03}, "AdamW", {"weight_decay": 0.03}),
        ({"optimizer": "sgd"}, "SGD", {"momentum": 0.0}),
        ({"optimizer": "sgd", "momentum": 0.9}, "SGD", {"momentum": 0.9}),
        ({"optimizer": "rmsprop"}, "RMSprop", {}),
    ],
    ids=str,
)
def test_an_optimizer_has_the_recipes_words(words, kind, settings):
    optimizer = compiled(**words).optimizer
    config = optimizer.get_config()
    assert type(optimizer).__name__ == kind
    assert config["learning_rate"] == pytest.approx(0.02)
    assert {name: config[name] for name in settings} == settings


def test_the_cosine_schedule_spans_all_steps_of_all_planned_epochs():
    schedule = compiled(schedule="cosine").optimizer.get_config()["learning_rate"]["config"]
    assert schedule["decay_steps"] == 70
    assert (schedule["initial_learning_rate"], schedule["alpha"]) == (0.02, 0.0)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_gradients_of_float16_are_scaled(schedule):
    optimizer = compiled(precision="mixed_float16", schedule=schedule).optimizer
    assert type(optimizer).__name__ == "LossScaleOptimizer"
    assert type(optimizer.inner_optimizer).__name__ == "Adam"
    assert float(optimizer.learning_rate) == pytest.approx(0.02)


def test_gradients_of_bfloat16_need_no_scaling():
    assert type(compiled(precision="mixed_bfloat16").optimizer).__name__ == "Adam"


@pytest.mark.parametrize(
    ("classes", "loss"), [(2, "binary_crossentropy"), (3, "sparse_categorical_crossentropy")]
)
def test_the_loss_is_the_cross_entropy_of_what_the_network_gives(classes, loss):
    assert compiled(classes).loss == loss


def test_nothing_is_compiled_by_xla():
    assert compiled().jit_compile is False
