import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from archsearch.architecture import Architecture, ConvBlock, DenseBlock, outputs_for
from archsearch.records import Augmentation
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace, sample_space

pytestmark = pytest.mark.slow

DIGITS = (8, 8, 1)
STACKS = SearchSpace.from_yaml(bundled_spaces()["notebook_stacks"]).architectures
WIDE = SearchSpace.from_mapping(
    {
        "name": "wide",
        "data": "digits",
        "families": {
            "dense": {
                "ordering": ["falling", "rising", "diamond", "hourglass", "constant"],
                "depth": {"low": 1, "high": 5},
                "narrowest": {"low": 8, "high": 64},
                "widest": [64, 128],
                "dropout": [0.0, 0.5],
                "activation": ["relu", "leaky_relu", "tanh", "sigmoid"],
                "batch_norm": [True, False],
                "l2": [0.0, 1e-3],
            },
            "cnn": {
                "blocks": {"low": 1, "high": 5},
                "filters": {"first": [4, 8], "growth": [1, 1.5]},
                "kernel": [1, 2, 3, 5],
                "pooling": ["max", "average", "none"],
                "dropout": [0.0, 0.2],
                "batch_norm": [True, False],
                "bridge": ["flatten", "global_average", "global_max"],
                "dense": {"depth": [1, 2], "narrowest": 8, "widest": 32, "batch_norm": [True, False]},
            },
        },
    }
)


def built(architecture, input_shape=DIGITS, classes=10, **words):
    import keras

    from archsearch.models import build

    keras.backend.clear_session()
    return build(architecture, input_shape, classes, **words)


def layer_of(model, kind):
    return next(layer for layer in model.layers if type(layer).__name__ == kind)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_sampled_architectures_are_built_with_the_parameters_they_count(seed):
    for architecture in sample_space(WIDE, DIGITS, 2, seed):
        assert architecture.parameters(DIGITS, 10) == built(architecture).count_params()


@pytest.mark.parametrize("name", STACKS)
def test_bundled_stacks_are_built_with_the_parameters_they_count(name):
    architecture = STACKS[name].build()
    assert architecture.parameters(DIGITS, 10) == built(architecture).count_params()


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("dense"),
        Architecture("dense", (DenseBlock(7, batch_norm=True),)),
        Architecture("cnn", (), (ConvBlock(3, 4, batch_norm=True), ConvBlock(5, pooling="none"))),
        Architecture("cnn", (DenseBlock(6),), (ConvBlock(3, pooling="average"),), "global_average"),
        Architecture("cnn", (), (ConvBlock(3), ConvBlock(4), ConvBlock(5)), "global_max"),
        Architecture(
            "cnn", (), (ConvBlock(3, 5, 2, "valid", pooling="none"), ConvBlock(4, 2, pooling="sum"))
        ),
        Architecture("cnn", (), (ConvBlock(3, 3, 1, "valid", "separable_conv2d", batch_norm=True),)),
    ],
    ids=lambda architecture: architecture.notation,
)
@pytest.mark.parametrize("input_shape", [(8, 8, 1), (15, 9, 3)], ids=str)
@pytest.mark.parametrize("classes", [2, 3])
def test_odd_sizes_and_channels_are_counted_as_built(architecture, input_shape, classes):
    counted = architecture.parameters(input_shape, outputs_for(classes))
    assert counted == built(architecture, input_shape, classes).count_params()


def test_a_dense_block_normalises_after_its_activation_and_drops_out_last():
    model = built(Architecture("dense", (DenseBlock(8, 0.5, "tanh", True, 1e-3),)))
    assert kinds(model) == [
        "InputLayer",
        "Flatten",
        "Dense",
        "Activation",
        "BatchNormalization",
        "Dropout",
        "Dense",
    ]
    assert model.layers[2].kernel_regularizer.l2 == pytest.approx(1e-3)
    assert model.layers[5].rate == 0.5


def test_a_conv_block_pools_before_it_normalises_and_drops_out():
    conv = ConvBlock(4, pooling="average", dropout=0.2, batch_norm=True)
    model = built(Architecture("cnn", (), (conv,), "global_average"))
    assert kinds(model) == [
        "InputLayer",
        "Conv2D",
        "Activation",
        "AveragePooling2D",
        "BatchNormalization",
        "Dropout",
        "GlobalAveragePooling2D",
        "Dense",
    ]
    assert model.layers[3].output.shape[1:] == (4, 4, 4)


def test_a_network_gives_probabilities():
    import numpy as np

    model = built(Architecture("cnn", (DenseBlock(6),), (ConvBlock(3),)))
    probabilities = model.predict(np.ones((5, 8, 8, 1), np.float32), verbose=0)
    assert probabilities.shape == (5, 10)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_two_classes_are_given_by_one_sigmoid():
    output = built(Architecture("dense"), classes=2).layers[-1]
    assert (output.units, output.activation.__name__) == (1, "sigmoid")


@pytest.mark.parametrize("classes", [3, 10])
def test_more_classes_are_given_by_a_softmax_over_all(classes):
    output = built(Architecture("dense"), classes=classes).layers[-1]
    assert (output.units, output.activation.__name__) == (classes, "softmax")


@pytest.mark.parametrize("kind", ["Conv2D", "SeparableConv2D"])
def test_words_of_a_convolution_reach_its_layer(kind):
    word = {"Conv2D": "conv2d", "SeparableConv2D": "separable_conv2d"}[kind]
    layer = layer_of(built(Architecture("cnn", (), (ConvBlock(6, 3, 2, "valid", word),))), kind)
    assert (layer.filters, layer.kernel_size, layer.strides, layer.padding) == (6, (3, 3), (2, 2), "valid")


def test_the_penalty_of_a_convolution_is_on_its_kernel():
    layer = layer_of(built(Architecture("cnn", (), (ConvBlock(6, l2=1e-3),))), "Conv2D")
    assert layer.kernel_regularizer.l2 == pytest.approx(1e-3)


def test_the_penalty_of_a_separable_convolution_is_on_both_its_kernels():
    block = ConvBlock(6, layer="separable_conv2d", l2=1e-3)
    layer = layer_of(built(Architecture("cnn", (), (block,))), "SeparableConv2D")
    assert layer.depthwise_regularizer.l2 == layer.pointwise_regularizer.l2 == pytest.approx(1e-3)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_the_activation_of_a_block_is_that_of_its_layer(activation):
    dense, conv = DenseBlock(4, activation=activation), ConvBlock(4, activation=activation)
    model = built(Architecture("cnn", (dense,), (conv,)))
    found = [layer.activation.__name__ for layer in model.layers if type(layer).__name__ == "Activation"]
    assert found == [activation, activation]


@pytest.mark.parametrize(
    ("pooling", "layers"),
    [
        ("max", ["MaxPooling2D"]),
        ("average", ["AveragePooling2D"]),
        ("sum", ["AveragePooling2D", "Rescaling"]),
        ("none", []),
    ],
)
def test_pooling_is_the_layer_it_names(pooling, layers):
    model = built(Architecture("cnn", (), (ConvBlock(4, pooling=pooling),)))
    assert kinds(model) == ["InputLayer", "Conv2D", "Activation", *layers, "Flatten", "Dense"]


def test_sum_pooling_adds_the_four_pixels_of_a_window():
    import keras
    import numpy as np

    model = built(Architecture("cnn", (), (ConvBlock(3, pooling="sum"),)))
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    until = {
        name: keras.Model(model.input, layer_of(model, name).output) for name in ("Activation", "Rescaling")
    }
    before, after = (until[name].predict(images, verbose=0) for name in until)
    sums = before.reshape(2, 4, 2, 4, 2, 3).sum(axis=(2, 4))
    assert after == pytest.approx(sums, rel=1e-5)


AUGMENTED = Augmentation("both", 0.1, 0.2, 0.3)


def test_augmentation_comes_first_with_its_words_and_without_weights():
    network = Architecture("cnn", (DenseBlock(6, 0.2),), (ConvBlock(3),))
    model = built(network, augmentation=AUGMENTED)
    assert kinds(model)[1:5] == ["RandomFlip", "RandomRotation", "RandomZoom", "RandomContrast"]
    flip, rotation, zoom, contrast = model.layers[1:5]
    assert flip.mode == "horizontal_and_vertical"
    assert rotation.factor == pytest.approx((-0.1, 0.1))
    assert (zoom.height_lower, zoom.height_upper) == pytest.approx((-0.2, 0.2))
    assert zoom.width_factor is None
    assert (contrast.factor, tuple(contrast.value_range)) == ((0.3, 0.3), (0, 1))
    assert model.count_params() == network.parameters(DIGITS, 10)


@pytest.mark.parametrize(
    ("augmentation", "layers"),
    [
        (Augmentation(), []),
        (Augmentation(flip="horizontal"), ["RandomFlip"]),
        (Augmentation(zoom=0.1), ["RandomZoom"]),
    ],
    ids=str,
)
def test_only_the_augmentation_asked_for_is_built(augmentation, layers):
    assert kinds(built(Architecture("dense"), augmentation=augmentation))[1:-2] == layers


def test_augmentation_changes_images_in_training_and_leaves_them_in_inference():
    import keras
    import numpy as np

    model = built(Architecture("dense"), augmentation=AUGMENTED)
    images = np.random.default_rng(0).random((4, 8, 8, 1), dtype=np.float32)
    augmented = keras.Model(model.input, layer_of(model, "RandomContrast").output)
    assert np.array(augmented(images, training=False)) == pytest.approx(images)
    changed = np.array(augmented(images, training=True))
    assert abs(changed - images).max() > 0.05
    assert (changed.min(), changed.max()) >= (0, 0)
    assert changed.max() <= 1


def test_contrast_goes_down_as_far_as_up():
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    model = built(Architecture("dense"), augmentation=Augmentation(contrast=0.4))
    images = np.full((500, 8, 8, 1), 0.5, np.float32)
    images[:, ::2] = 0.6
    changed = np.array(layer_of(model, "RandomContrast")(images, training=True))
    factors = (changed[:, 0, 0, 0] - changed[:, 1, 0, 0]) / 0.1
    assert (factors.min(), factors.max()) == pytest.approx((0.6, 1.4), abs=0.02)


def test_a_seed_gives_the_same_initial_weights_with_and_without_augmentation():
    import keras
    import numpy as np

    network, weights = Architecture("cnn", (DenseBlock(6, 0.5),), (ConvBlock(3),)), []
    for augmentation in (Augmentation(), AUGMENTED):
        keras.utils.set_random_seed(3)
        weights.append(built(network, augmentation=augmentation).get_weights())
    assert all(np.array_equal(*pair) for pair in zip(*weights, strict=True))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_computes_in_16_bits_between_weights_and_output_of_32(precision):
    dense = DenseBlock(4, 0.1, batch_norm=True)
    model = built(Architecture("cnn", (dense,), (ConvBlock(3, pooling="sum"),)), precision=precision)
    *hidden, output = model.layers[1:]
    assert {layer.compute_dtype for layer in hidden} == {precision.removeprefix("mixed_")}
    assert output.compute_dtype == "float32"
    assert {str(variable.dtype) for variable in model.weights} == {"float32"}
