"""Networks whose parameters are known as numbers, from the same Keras layers written by hand."""

import pytest

from archsearch.architecture import Architecture, ConvBlock, DenseBlock

RISING = (32, 64, 128, 256, 512)
FALLING = (1024, 512, 256, 128, 64)
DIAMOND = (*RISING, *FALLING)
DOUBLED = (32, 64, 64, 128, 128, 256, 256, 512, 512, 1024)

# Widths and dropouts of eight stacks, and their parameters on 64×64×3 pixels with one sigmoid output.
STACKS = {
    "falling-05": (FALLING, [0.5] * 5, 13_281_281),
    "rising-05": (RISING, [0.5] * 5, 568_801),
    "falling-02": (FALLING, [0.2] * 5, 13_281_281),
    "rising-02": ((*RISING, 1024), [0.2] * 6, 1_094_625),
    "diamond-05": (DIAMOND, [0.5] * 10, 1_790_945),
    "diamond-02": (DIAMOND, [0.2] * 10, 1_790_945),
    "diamond-split": ((*RISING, 1024, *FALLING), [0.2] * 6 + [0.5] * 5, 2_840_545),
    "doubled-final": (DOUBLED, [0.5] * 10, 1_443_745),
}


def by_hand(widths, dropouts):
    import keras

    model = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten()])
    for width, dropout in zip(widths, dropouts, strict=True):
        model.add(keras.layers.Dense(width, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    return model


@pytest.mark.parametrize("name", STACKS)
def test_a_known_stack_counts_its_known_parameters(name):
    widths, dropouts, parameters = STACKS[name]
    stack = Architecture("dense", tuple(map(DenseBlock, widths, dropouts)))
    assert stack.parameters((64, 64, 3), 1) == parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_a_known_stack_is_built_as_written_by_hand(name):
    from archsearch.models import build

    widths, dropouts, parameters = STACKS[name]
    model = build(Architecture("dense", tuple(map(DenseBlock, widths, dropouts))), (64, 64, 3), 2)
    assert model.count_params() == by_hand(widths, dropouts).count_params() == parameters


@pytest.mark.slow
def test_a_known_small_cnn_is_built_as_written_by_hand():
    import keras

    from archsearch.models import build

    cnn = Architecture("cnn", (DenseBlock(128),), (ConvBlock(32, 3, padding="valid"),))
    hand = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            keras.layers.Conv2D(32, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model = build(cnn, (64, 64, 3), 10)
    assert model.count_params() == hand.count_params() == cnn.parameters((64, 64, 3), 10) == 3_938_570
