"""An `Architecture` as an uncompiled ``keras.Model``."""

from typing import Any

import keras
from keras import layers

from archsearch.architecture import POOL_SIZE, Architecture, ConvBlock, DenseBlock

_POOLING = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}
_BRIDGES = {
    "flatten": layers.Flatten,
    "global_average": layers.GlobalAveragePooling2D,
    "global_max": layers.GlobalMaxPooling2D,
}


def build(architecture: Architecture, input_shape: tuple[int, ...], classes: int) -> Any:
    """Build the network, weights initialised from Keras' global random state.

    Parameters
    ----------
    architecture : Architecture
    input_shape : tuple of int
        One sample.
    classes : int
        Width of the softmax output.

    Returns
    -------
    keras.Model
        From float32 (batch, *input_shape) to probabilities (batch, classes).
    """
    inputs = keras.Input(input_shape)
    outputs = inputs
    for conv in architecture.conv:
        outputs = _conv_block(conv, outputs)
    outputs = _BRIDGES[architecture.bridge]()(outputs)
    for dense in architecture.dense:
        outputs = _dense_block(dense, outputs)
    outputs = layers.Dense(classes, activation="softmax", name="probabilities")(outputs)
    return keras.Model(inputs, outputs)


def _dense_block(block: DenseBlock, x: Any) -> Any:
    x = layers.Dense(block.width, kernel_regularizer=_penalty(block))(x)
    return _finish(block, layers.Activation(block.activation)(x))


def _conv_block(block: ConvBlock, x: Any) -> Any:
    x = layers.Conv2D(block.filters, block.kernel, padding="same", kernel_regularizer=_penalty(block))(x)
    x = layers.Activation(block.activation)(x)
    if block.pooling != "none":
        x = _POOLING[block.pooling](POOL_SIZE)(x)
    return _finish(block, x)


def _finish(block: ConvBlock | DenseBlock, x: Any) -> Any:
    """Batch normalisation and dropout, where the block has them, after activation (and pooling)."""
    if block.batch_norm:
        x = layers.BatchNormalization()(x)
    if block.dropout:
        x = layers.Dropout(block.dropout)(x)
    return x


def _penalty(block: ConvBlock | DenseBlock) -> Any:
    return keras.regularizers.L2(block.l2) if block.l2 else None
