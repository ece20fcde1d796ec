"""What this process takes of its GPU."""

import keras

from archsearch.errors import Refused

MIB_PER_GIB = 1024


def accelerators() -> list[str]:
    """What Keras computes on besides the CPU, as it names it: ``"gpu:0"``."""
    # All that the backend uses: JAX raises where it is asked for GPUs and there are none.
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def cap_gpu_memory(gib: float) -> None:
    """Take at most `gib` GiB of each GPU; to be called before anything has computed there.

    Under TensorFlow. JAX has taken its cap from the environment, before it was imported.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        cap = tf.config.LogicalDeviceConfiguration(memory_limit=gib * MIB_PER_GIB)
        tf.config.set_logical_device_configuration(gpu, [cap])


def hide_gpus() -> None:
    """Compute on the CPU; to be called before anything has computed in this process.

    Raises
    ------
    Refused
        If it is too late for that.
    """
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_platforms", "cpu")
        return
    import tensorflow as tf

    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:
        raise Refused(
            "this process computes on a GPU already: with workers: 0, begin a search on the CPU (gpus: 0) in "
            "a fresh process"
        ) from None
