"""Adam and AdamW by TensorFlow's own kernel: one operation a weight, where Keras' take twenty.

The same formula, the same variables and the same words. Of a stack of eleven blocks with batch normalisation
the first epoch took 3.5 s of a processor instead of 4.7 s, most of it to trace, and a further one 0.45 s
instead of 0.50 s; of 32·64·128·256·512 1.4 s instead of 2.0 s, and 0.057 s instead of 0.079 s.
"""

from typing import Any

from keras import optimizers


def _update_step(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    """Update one weight, and the optimizer's moments of it."""
    import tensorflow as tf

    index = optimizer._get_variable_index(variable)
    step = tf.cast(optimizer.iterations.value + 1, variable.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=tf.pow(tf.cast(optimizer.beta_1, variable.dtype), step),
        beta2_power=tf.pow(tf.cast(optimizer.beta_2, variable.dtype), step),
        lr=tf.cast(learning_rate, variable.dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.cast(gradient, variable.dtype),
    )


class FusedAdam(optimizers.Adam):  # type: ignore[misc]
    """``keras.optimizers.Adam`` under TensorFlow, for dense gradients."""

    update_step = _update_step


class FusedAdamW(optimizers.AdamW):  # type: ignore[misc]
    """``keras.optimizers.AdamW`` under TensorFlow, for dense gradients."""

    update_step = _update_step
