"""Blocks of architectures with every word within its bounds, for property tests."""

import hypothesis.strategies as st

from archsearch.architecture import ConvBlock, DenseBlock

rates = st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 0.2, 0.5, 1e-6, 5e-324]))
penalties = st.floats(0, 10)
widths = st.integers(1, 65_536)
activations = st.sampled_from(["relu", "leaky_relu", "tanh", "sigmoid"])
dense_blocks = st.builds(DenseBlock, widths, rates, activations, st.booleans(), penalties)
conv_blocks = st.builds(
    ConvBlock,
    filters=st.integers(1, 4096),
    kernel=st.integers(1, 15),
    stride=st.integers(1, 8),
    padding=st.sampled_from(["same", "valid"]),
    layer=st.sampled_from(["conv2d", "separable_conv2d"]),
    activation=activations,
    pooling=st.sampled_from(["max", "average", "sum", "none"]),
    dropout=rates,
    batch_norm=st.booleans(),
    l2=penalties,
)
