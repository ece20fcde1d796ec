"""What this process takes of its GPU."""

import keras

MIB_PER_GIB = 1024


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
