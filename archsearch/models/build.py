"""An `Architecture` as an uncompiled ``keras.Model``."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from archsearch.architecture import POOL_SIZE, Architecture, ConvBlock, DenseBlock, outputs_for
from archsearch.records import NO_AUGMENTATION, Augmentation

# Images are scaled to it; Keras would otherwise take them to lie between 0 and 255.
VALUE_RANGE = (0.0, 1.0)

_BRIDGES = {
    "flatten": layers.Flatten,
    "global_average": layers.GlobalAveragePooling2D,
    "global_max": layers.GlobalMaxPooling2D,
}
_FLIPS = {"horizontal": "horizontal", "vertical": "vertical", "both": "horizontal_and_vertical"}


def build(
    architecture: Architecture,
    input_shape: tuple[int, ...],
    classes: int,
    augmentation: Augmentation = NO_AUGMENTATION,
    precision: str = "float32",
) -> Any:
    """Build the network, weights initialised from Keras' global random state.

    It is made of Keras' own layers only: a saved one loads without archsearch.

    Parameters
    ----------
    architecture : Architecture
    input_shape : tuple of int
        One sample.
    classes : int
        The network ends in a softmax over all of them; of two, in one sigmoid: the probability of class 1.
    augmentation : Augmentation
        Layers after the input that change images in training and pass them on in inference; no weights.
    precision : str
        ``"float32"``, or the dtype policy of the hidden layers: ``"mixed_float16"`` or ``"mixed_bfloat16"``.
        Weights, augmentation and probabilities are float32 in any case.

    Returns
    -------
    keras.Model
        From float32 (batch, *input_shape) to probabilities (batch, `outputs_for(classes)`).
    """
    inputs = keras.Input(input_shape)
    outputs = inputs
    for layer in _layers(architecture, classes, augmentation, precision):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def reinitialise(
    model: Any,
    architecture: Architecture,
    classes: int,
    augmentation: Augmentation = NO_AUGMENTATION,
    precision: str = "float32",
) -> None:
    """Give a model that `build` has built all variables that it would have if it were built now.

    Random states of dropout and augmentation are among them. The layers that it takes are never built, which
    would be four fifths of the time.
    """
    fresh = _layers(architecture, classes, augmentation, precision)
    for layer, like in zip(model.layers[1:], fresh, strict=True):  # the first is the input
        for weight in layer.weights:
            # Keras' names: kernel_initializer, bias_initializer, but depthwise_initializer.
            initializer = getattr(like, f"{weight.name.removesuffix('_kernel')}_initializer")
            weight.assign(initializer(weight.shape, weight.dtype))
        weights = {id(weight) for weight in layer.weights}
        states = [variable for variable in layer.variables if id(variable) not in weights]
        for state, value in zip(states, like.variables, strict=True):
            state.assign(value)


def _layers(
    architecture: Architecture, classes: int, augmentation: Augmentation, precision: str
) -> list[Any]:
    """All layers in order, not built; each draws its seeds from Keras' global random state here."""
    hidden = list(_hidden_layers(architecture, keras.DTypePolicy(precision)))
    width = outputs_for(classes)
    activation = "sigmoid" if width == 1 else "softmax"
    # In 16 bits the loss of a sample would keep three digits.
    last = layers.Dense(width, activation=activation, name="probabilities", dtype="float32")
    # Made last, so that a seed gives the same initial weights with and without them.
    augmenting = list(_augmentation_layers(augmentation))
    for layer in augmenting:
        layer.supports_jit = True  # Keras thinks of TensorFlow, where XLA is off; JAX compiles any of them
    return [*augmenting, *hidden, last]


def _hidden_layers(architecture: Architecture, policy: Any) -> Iterator[Any]:
    """The layers between augmentation and the output layer, in order."""
    for conv in architecture.conv:
        yield from _conv_layers(conv, policy)
    yield _BRIDGES[architecture.bridge](dtype=policy)
    for dense in architecture.dense:
        yield from _dense_layers(dense, policy)


def _augmentation_layers(augmentation: Augmentation) -> Iterator[Any]:
    if augmentation.flip != "none":
        yield layers.RandomFlip(_FLIPS[augmentation.flip], dtype="float32")
    if augmentation.rotation:
        yield layers.RandomRotation(augmentation.rotation, dtype="float32")
    if augmentation.zoom:
        yield layers.RandomZoom(augmentation.zoom, dtype="float32")
    if augmentation.contrast:
        # Of one number Keras would take nothing below the image's own contrast.
        both = (augmentation.contrast, augmentation.contrast)
        yield layers.RandomContrast(both, value_range=VALUE_RANGE, dtype="float32")


def _dense_layers(block: DenseBlock, policy: Any) -> Iterator[Any]:
    yield layers.Dense(block.width, kernel_regularizer=_penalty(block), dtype=policy)
    yield layers.Activation(block.activation, dtype=policy)
    yield from _closing_layers(block, policy)


def _conv_layers(block: ConvBlock, policy: Any) -> Iterator[Any]:
    yield _convolution(block, policy)
    yield layers.Activation(block.activation, dtype=policy)
    yield from _pooling_layers(block, policy)
    yield from _closing_layers(block, policy)


def _convolution(block: ConvBlock, policy: Any) -> Any:
    words = {"strides": block.stride, "padding": block.padding, "dtype": policy}
    if block.layer == "separable_conv2d":
        return layers.SeparableConv2D(
            block.filters,
            block.kernel,
            depthwise_regularizer=_penalty(block),
            pointwise_regularizer=_penalty(block),
            **words,
        )
    return layers.Conv2D(block.filters, block.kernel, kernel_regularizer=_penalty(block), **words)


def _pooling_layers(block: ConvBlock, policy: Any) -> Iterator[Any]:
    if block.pooling == "max":
        yield layers.MaxPooling2D(POOL_SIZE, dtype=policy)
    elif block.pooling != "none":
        yield layers.AveragePooling2D(POOL_SIZE, dtype=policy)
        if block.pooling == "sum":
            # Keras has no layer for sums: they are means times the pixels of a window.
            yield layers.Rescaling(float(POOL_SIZE**2), dtype=policy)


def _closing_layers(block: ConvBlock | DenseBlock, policy: Any) -> Iterator[Any]:
    """Batch normalisation and dropout, where the block has them, after activation (and pooling)."""
    if block.batch_norm:
        yield layers.BatchNormalization(dtype=policy)
    if block.dropout:
        yield layers.Dropout(block.dropout, dtype=policy)


def _penalty(block: ConvBlock | DenseBlock) -> Any:
    return keras.regularizers.L2(block.l2) if block.l2 else None
