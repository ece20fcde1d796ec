"""The library that Keras computes with is found as Keras finds it."""

import json

import pytest

from archsearch.errors import Refused
from archsearch.execution.backend import backend, require_backend
from archsearch.execution.slots import slots_for
from archsearch.space.execution_words import Execution


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """Choose a backend by the variable and by Keras' settings, None for neither."""

    def choose(variable, settings):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if variable is not None:
            monkeypatch.setenv("KERAS_BACKEND", variable)
        if settings is not None:
            (tmp_path / "keras.json").write_text(settings)

    return choose


@pytest.mark.parametrize(
    ("variable", "settings", "name"),
    [
        (None, None, "tensorflow"),
        ("", None, "tensorflow"),
        ("jax", None, "jax"),
        (None, '{"backend": "jax"}', "jax"),
        ("tensorflow", '{"backend": "jax"}', "tensorflow"),
        (None, '{"floatx": "float32"}', "tensorflow"),
        (None, "no json", "tensorflow"),
    ],
)
def test_the_variable_goes_before_the_settings_and_workers_are_told(chosen, variable, settings, name):
    chosen(variable, settings)
    assert backend() == name
    (slot,) = slots_for(Execution(workers=1, gpus=0))
    assert slot.environment["KERAS_BACKEND"] == name


@pytest.mark.parametrize("name", ["numpy", "torch", "openvino", "a.b", "no_such_backend"])
def test_what_archsearch_does_not_train_with_is_refused_by_its_name_and_place(chosen, tmp_path, name):
    chosen(name, None)
    with pytest.raises(Refused, match=f"^KERAS_BACKEND is {name}; archsearch trains with tensorflow or jax"):
        require_backend()
    chosen(None, json.dumps({"backend": name}))
    with pytest.raises(Refused, match=rf"^backend in {tmp_path}/keras\.json is {name}; "):
        require_backend()


def test_the_backend_that_is_installed_is_accepted(chosen):
    chosen("tensorflow", None)
    require_backend()


def test_one_that_is_not_installed_is_refused_with_what_to_install(chosen, monkeypatch):
    chosen("jax", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Refused, match=r"KERAS_BACKEND is jax, which is not installed: .* its extra 'jax'"):
        require_backend()
