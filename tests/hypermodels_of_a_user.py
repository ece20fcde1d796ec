"""HyperModels as users of KerasTuner write them, for tests."""
# ruff: noqa: ARG002 - the words are KerasTuner's

import os
import time

import keras
import keras_tuner

SHAPE = (8, 8, 1)
CLASSES = 10


def dense(units: int, activation: str = "relu", classes: int = CLASSES, head: str | None = "softmax"):
    """A stack of one block for the digits."""
    layers = [
        keras.Input(SHAPE),
        keras.layers.Flatten(),
        keras.layers.Dense(units, activation=activation),
        keras.layers.Dense(classes, activation=head),
    ]
    return keras.Sequential(layers)


class Stack(keras_tuner.HyperModel):
    """The plainest one."""

    def build(self, hp):
        model = dense(hp.Int("units", 16, 64, step=16), hp.Choice("activation", ["relu", "tanh"]))
        rate = hp.Float("rate", 1e-3, 1e-2, sampling="log")
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        return model


class EveryKind(keras_tuner.HyperModel):
    """Every kind of hyperparameter, on every scale."""

    def build(self, hp):
        units = hp.Int("units", 4, 64, sampling="log")
        hp.Int("plain", -3, 3)
        hp.Int("stepped", 6, 13, step=3)
        hp.Int("doubled", 2, 32, step=2, sampling="log")
        hp.Int("reversed", 1, 100, sampling="reverse_log")
        hp.Int("reversed_step", 1, 64, step=2, sampling="reverse_log")
        hp.Float("share", 0, 1)
        hp.Float("tenths", 0, 1, step=0.25)
        hp.Float("magnitude", 1e-4, 1e-1, sampling="log")
        hp.Float("decades", 1e-3, 10, step=10, sampling="log")
        hp.Float("near_one", 0.1, 1.0, sampling="reverse_log")
        hp.Choice("floats", [0.1, 0.01, 0.001], default=0.01)
        hp.Choice("words", ["b", "a"])
        hp.Choice("unordered", [3, 1, 2], ordered=False)
        hp.Choice("alone", ["only"])
        hp.Boolean("flag", default=True)
        hp.Fixed("fixed", 7)
        return compiled(dense(units))


class Scoped(keras_tuner.HyperModel):
    """Conditional scopes in conditional scopes, names in name scopes, one name under two conditions."""

    def build(self, hp):
        kind = hp.Choice("kind", ["mlp", "cnn"])
        layers = [keras.Input(SHAPE)]
        with hp.conditional_scope("kind", ["mlp"]):
            if kind == "mlp":
                layers.append(keras.layers.Flatten())
                layers.append(keras.layers.Dense(hp.Choice("units", [8, 16])))
        with hp.conditional_scope("kind", ["cnn"]):
            if kind == "cnn":
                layers.append(keras.layers.Conv2D(hp.Choice("units", [2, 4, 6]), 3))
                pools = hp.Boolean("pools")
                with hp.conditional_scope("pools", [True]):
                    if pools:
                        layers.append(keras.layers.MaxPooling2D(hp.Int("size", 2, 3)))
                layers.append(keras.layers.Flatten())
        with hp.name_scope("head"):
            layers.append(keras.layers.Dense(hp.Int("units", 4, 8)))
        layers.append(keras.layers.Dense(CLASSES, activation="softmax"))
        return compiled(keras.Sequential(layers))


class OwnFit(Stack):
    """Its fit chooses a batch size, in KerasTuner's own idiom."""

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 64]), **kwargs)


class TwoPhases(Stack):
    """It trains twice, and asks for a value between the two."""

    def fit(self, hp, model, x, y, validation_data=None, callbacks=None):
        first = model.fit(x, y, epochs=hp.Int("warm_up", 1, 2), callbacks=callbacks, verbose=0)
        assert first.history["loss"]
        model.optimizer.learning_rate = hp.Float("second_rate", 1e-4, 1e-3, sampling="log")
        return model.fit(x, y, epochs=3, callbacks=callbacks, verbose=0, validation_data=validation_data)


class OwnLoop(Stack):
    """It trains without ``model.fit``, as KerasTuner's guide to training loops does."""

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        batch = hp.Int("batch", 32, 256, step=32)
        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(2):
            for start in range(0, len(x), batch):
                model.train_on_batch(x[start : start + batch], y[start : start + batch])
            value = model.evaluate(*validation_data, verbose=0)
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_metric": value})
        return value


class DropsCallbacks(Stack):
    """Its fit keeps the callbacks to itself."""

    def fit(self, hp, model, x, y, **kwargs):
        return model.fit(x, y, verbose=0)


class Silent(Stack):
    """A loop of its own that tells nobody of its epochs."""

    def fit(self, hp, model, x, y, **kwargs):
        for _ in range(2):
            model.train_on_batch(x[:32], y[:32])


class GivesUp(Stack):
    """It trains where there are few samples only."""

    def fit(self, hp, model, x, y, **kwargs):
        return model.fit(x, y, **kwargs) if len(x) <= CLASSES else None


class Slow(Stack):
    """Some of its builds take longer than anybody waits."""

    def build(self, hp):
        if hp.Int("units", 16, 64, step=16) > 16:
            time.sleep(300)
        return super().build(hp)


class Forks(Stack):
    """Its training starts a process that outlives it."""

    def fit(self, hp, model, x, *args, **kwargs):
        if len(x) > CLASSES and os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        return model.fit(x, *args, **kwargs)


class Mixed(Stack):
    """It sets the precision for everything that Keras makes from then on."""

    def build(self, hp):
        keras.config.set_dtype_policy("mixed_float16")
        return super().build(hp)


class Logits(keras_tuner.HyperModel):
    """No softmax: its loss has one."""

    def build(self, hp):
        model = dense(hp.Int("units", 8, 16), head=None)
        model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
        return model


class NoSoftmax(keras_tuner.HyperModel):
    """Neither softmax nor a loss for logits."""

    def build(self, hp):
        return compiled(dense(8, head="relu"))


class Uncompiled(keras_tuner.HyperModel):
    """It leaves the compiling to others."""

    def build(self, hp):
        return dense(hp.Choice("units", [8, 16, 24]))


class Subclassed(keras_tuner.HyperModel):
    """A model that is a class of the user's, and is built when it is first called."""

    def build(self, hp):
        return compiled(UserModel(hp.Int("units", 4, 8)))


@keras.saving.register_keras_serializable("tests")
class UserModel(keras.Model):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.flat, self.hidden = keras.layers.Flatten(), keras.layers.Dense(units, "relu")
        self.head = keras.layers.Dense(CLASSES, "softmax")

    def call(self, x):
        return self.head(self.hidden(self.flat(x)))

    def get_config(self):
        return {"units": self.units}


class ForData(keras_tuner.HyperModel):
    """It takes what the data say, and a word of its own."""

    def __init__(self, width, input_shape=None, num_classes=None):
        super().__init__()
        self.width, self.input_shape, self.num_classes = width, input_shape, num_classes

    def build(self, hp):
        inputs = keras.Input(self.input_shape)
        outputs = keras.layers.Dense(self.width)(keras.layers.Flatten()(inputs))
        outputs = keras.layers.Dense(self.num_classes, "softmax")(outputs)
        return compiled(keras.Model(inputs, outputs))


class Declares(Stack):
    """It narrows what its build declares."""

    def declare_hyperparameters(self, hp):
        hp.Fixed("activation", "tanh")


class Frozen(keras_tuner.HyperModel):
    """One HyperModel in another: the inner one is not tunable, so its values are its defaults."""

    def build(self, hp):
        hp.Choice("outer", [1, 2])
        return Stack(tunable=False).build(hp)


class Raises(keras_tuner.HyperModel):
    """Its build raises."""

    def build(self, hp):
        raise RuntimeError("no such backbone")


class GivesNothing(keras_tuner.HyperModel):
    """Its build forgets to return the model."""

    def build(self, hp):
        dense(hp.Int("units", 4, 8))


class OtherShape(keras_tuner.HyperModel):
    """For other images than the digits."""

    def build(self, hp):
        layers = [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(CLASSES, "softmax")]
        return compiled(keras.Sequential(layers))


class OtherClasses(keras_tuner.HyperModel):
    """For fewer classes than the digits have."""

    def build(self, hp):
        return compiled(dense(8, classes=7))


class TwoOutputs(keras_tuner.HyperModel):
    """Two heads."""

    def build(self, hp):
        inputs = keras.Input(SHAPE)
        flat = keras.layers.Flatten()(inputs)
        heads = [keras.layers.Dense(CLASSES, "softmax")(flat) for _ in range(2)]
        model = keras.Model(inputs, heads)
        model.compile("sgd", ["sparse_categorical_crossentropy"] * 2)
        return model


class Exits(keras_tuner.HyperModel):
    """It takes its process with it."""

    def build(self, hp):
        os._exit(3)


made = ForData(8, SHAPE, CLASSES)
nothing = 3


def function(hp):
    """A function in place of a class."""
    return Stack().build(hp)


def compiled(model):
    """With the loss for class indices."""
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "sparse_categorical_crossentropy")
    return model
