"""KerasTuner's language, which is an extra: imported from here, so that its absence is said in one place."""

from archsearch.errors import Refused

try:
    import keras_tuner
    from keras_tuner.engine import hyperparameters as kinds
except ModuleNotFoundError as error:
    if error.name != "keras_tuner":
        raise
    raise Refused(
        "KerasTuner is not installed: install archsearch with its extra 'keras-tuner' "
        "(pip install '.[keras-tuner]' in a checkout)"
    ) from None

__all__ = ["keras_tuner", "kinds"]
