import gzip
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from image_folders import real

from archsearch.data import loaded as loaded_module
from archsearch.data.shapes import CIFAR_100, SHAPES, data_shape
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space.data_words import Data

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 8, 6), np.uint8)
LABELS = np.arange(60) % 3


def archive(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return Data(npz=str(tmp_path / "a.npz"))


def everything(dataset):
    return dataset.x.take(np.arange(len(dataset.x)))


def given(images=IMAGES, labels=LABELS):
    return {
        "x_train": images[:30], "y_train": labels[:30], "x_val": images[30:45], "y_val": labels[30:45],
        "x_test": images[45:], "y_test": labels[45:],
    }  # fmt: skip


def test_bytes_are_scaled_and_get_a_channel(tmp_path):
    data = archive(tmp_path, x=IMAGES, y=LABELS)
    dataset = load(data)
    assert dataset.shape == data_shape(data)
    assert dataset.shape.input_shape == (8, 6, 1)
    assert dataset.shape.classes == ("0", "1", "2")
    assert np.allclose(everything(dataset)[..., 0], IMAGES / 255)
    assert dataset.names[17] == "x[17]"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_taken_as_they_are(tmp_path, dtype):
    numbers = (IMAGES * 3 - 100.0).astype(dtype)
    dataset = load(archive(tmp_path, x=numbers, y=LABELS))
    assert np.array_equal(everything(dataset)[..., 0], numbers.astype(np.float32))
    assert dataset.x.stored.dtype in (np.float16, np.float32)


def test_rows_of_features_are_for_dense_stacks(tmp_path):
    data = archive(tmp_path, x=IMAGES.reshape(60, -1), y=LABELS)
    assert data_shape(data).input_shape == load(data).shape.input_shape == (48,)
    assert everything(load(data)).max() > 1


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"x_train": "train_images", "y_train": "train_labels", "x_val": "val_images", "y_val": "val_labels",
         "x_test": "test_images", "y_test": "test_labels"},
        {"x_train": "X_train"},
    ],
)  # fmt: skip
def test_given_splits_are_found_by_their_usual_keys(tmp_path, names):
    data = archive(tmp_path, **{names.get(key, key): array for key, array in given().items()})
    dataset = load(data)
    assert [list(part[[0, -1]]) for part in dataset.split[:3]] == [[0, 29], [30, 44], [45, 59]]
    assert dataset.names[31] == f"{names.get('x_val', 'x_val')}[1]"


def test_a_missing_test_set_is_split_off_if_the_space_says_so(tmp_path):
    arrays = {key: array for key, array in given().items() if not key.endswith("test")}
    data = archive(tmp_path, **arrays)
    with pytest.raises(DataError, match=r"gives train and val, but no test set; write test: 0\.2"):
        load(data)
    assert [len(part) for part in load(Data(npz=data.npz, test=0.2)).split[:3]] == [24, 15, 6]
    assert [len(part) for part in load(Data(npz=data.npz, test="none")).split[:3]] == [30, 15, 0]
    full = archive(tmp_path, **given())
    assert [len(part) for part in load(Data(npz=full.npz, test="none")).split[:3]] == [30, 15, 0]


@pytest.mark.parametrize(
    "labels",
    [LABELS[:, None], np.eye(3)[LABELS], LABELS.astype(np.float64), LABELS.astype(np.uint8), LABELS == 1],
    ids=["column", "one-hot", "floats", "bytes", "booleans"],
)
def test_labels_may_be_written_in_any_usual_way(tmp_path, labels):
    dataset = load(archive(tmp_path, x=IMAGES, y=labels))
    assert np.array_equal(dataset.y, LABELS == 1 if labels.dtype == bool else LABELS)
    assert dataset.y.dtype == np.int64


@pytest.mark.parametrize("kind", [np.str_, np.bytes_])
def test_text_labels_are_the_sorted_classes(tmp_path, kind):
    data = archive(tmp_path, x=IMAGES, y=np.array(["dog", "ant", "cat"], kind)[LABELS])
    dataset = load(data)
    assert dataset.shape.classes == data_shape(data).classes == ("ant", "cat", "dog")
    assert list(dataset.y[:3]) == [2, 0, 1]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (IMAGES[:0], LABELS[:0], r"has the shape \(0, 8, 6\): it is empty"),
        (IMAGES, LABELS[:0], "60 samples in x, but 0 labels in y"),
    ],
)
def test_an_empty_archive_is_refused_as_such(tmp_path, x, y, message):
    data = archive(tmp_path, x=x, y=y)
    for reader in (load, data_shape):
        with pytest.raises(DataError, match=message):
            reader(data)


def test_a_test_set_that_the_space_goes_without_says_nothing_about_shape_or_classes(tmp_path):
    arrays = given() | {"y_test": np.arange(15) % 5, "x_test": IMAGES[45:, :4]}
    archive(tmp_path, **arrays)
    data = Data(npz=str(tmp_path / "a.npz"), test="none")
    assert data_shape(data) == load(data).shape
    assert data_shape(data).classes == ("0", "1", "2")


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_images_of_other_numbers_than_0_to_1_are_said(tmp_path, dtype):
    images = np.clip(IMAGES, 3, 250)
    assert load(archive(tmp_path, x=images.astype(dtype), y=LABELS)).notes == (
        "values from 3 to 250 are taken as they are; networks learn images best scaled to 0…1",
    )
    for quiet in (images, images / 255, images.reshape(60, -1).astype(dtype)):
        assert load(archive(tmp_path, x=quiet, y=LABELS)).notes == ()


def sides(dataset):
    where = np.full(len(dataset.x), -1)
    for side, part in enumerate(dataset.split[:3]):
        where[part] = side
    return where


def test_identical_samples_are_on_one_side_whatever_their_labels(tmp_path):
    plain = load(archive(tmp_path, x=IMAGES, y=LABELS))
    doubled = np.concatenate([IMAGES, IMAGES[:20]])
    where = sides(load(archive(tmp_path, x=doubled, y=np.concatenate([LABELS, (LABELS[:20] + 1) % 3]))))
    assert (where[60:] == where[:20]).all()
    assert set(where) == {0, 1, 2}
    assert load(archive(tmp_path, x=IMAGES, y=LABELS)).fingerprint == plain.fingerprint


def test_copies_across_given_splits_leave_the_rest_as_it_would_be(tmp_path):
    arrays = {key: array for key, array in given().items() if not key.endswith("val")}
    plain = load(archive(tmp_path, **arrays)).split
    arrays["x_test"] = IMAGES[:15]
    assert all(map(np.array_equal, plain, load(archive(tmp_path, **arrays)).split))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("pickled code was run",))


def broken(key, position, value):
    arrays = given(IMAGES.astype(np.float32))
    arrays[key] = arrays[key].copy()
    arrays[key][position] = value
    return arrays


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.array([Trap()] * 60), "y": LABELS}, "pickled Python objects, which could run code"),
        ({"x": IMAGES, "y": np.array([Trap()] * 60)}, "pickled Python objects"),
        ({"a": IMAGES}, r"has a; it needs x_train and y_train"),
        ({}, "has nothing; it needs x_train and y_train"),
        ({"x": IMAGES}, "x without y"),
        ({"x_train": IMAGES, "y_train": LABELS, "y_test": LABELS}, "y_test without x_test"),
        ({"x": IMAGES, "y": LABELS[:50]}, "60 samples in x, but 50 labels in y"),
        ({"x": IMAGES, "y": LABELS - 1}, "the label -1 is out of range"),
        ({"x": IMAGES, "y": LABELS * 2}, "labels go up to 4, but no sample has 1, 3"),
        ({"x": IMAGES, "y": np.where(LABELS == 2, 10**9, LABELS)}, "the label 1000000000 is out of range"),
        ({"x": IMAGES, "y": LABELS * 0}, "one class only, 0"),
        ({"x": IMAGES, "y": LABELS + 0.5}, "holds float64; labels are whole numbers from 0 or text"),
        ({"x": IMAGES, "y": np.ones((60, 3))}, "rows of several numbers that are not one-hot"),
        ({"x": IMAGES, "y": np.zeros((60, 3, 3))}, r"has the shape \(60, 3, 3\); it must be one label"),
        ({"x": IMAGES.ravel(), "y": LABELS}, r"has the shape \(2880,\); it must be \(samples, features\)"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, r"has the shape \(0, 8, 6\): it is empty"),
        ({"x": IMAGES.astype(np.str_), "y": LABELS}, "x holds <U3, not numbers"),
        ({**given(), "x_val": IMAGES[30:45, :4]}, r"shape \(4, 6, 1\) in x_val, but \(8, 6, 1\) in x_train"),
        (broken("x_val", 0, np.nan), "x_val holds 48 numbers that are not finite"),
        (broken("y_val", slice(None), 1), "the val split has no readable sample of 0, 2"),
    ],
)  # fmt: skip
def test_archives_of_something_else_are_refused_with_what_was_found(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load(archive(tmp_path, **arrays))


def test_files_that_are_no_archives_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"something else")
    whole = archive(tmp_path, x=IMAGES, y=LABELS)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[200:400] = bytes(200)
    (tmp_path / "b.npz").write_bytes(content)
    (tmp_path / "c.npz").write_bytes(b"text")
    assert load(whole)
    for name, message in (("b", "can't be read"), ("c", "not a NumPy archive"), ("d", "no such file")):
        for reader in (load, data_shape):
            if (name, reader) != ("b", data_shape):  # whose labels are whole
                with pytest.raises(DataError, match=message):
                    reader(Data(npz=f"{name}.npz"), tmp_path)


def test_real_archives_are_read():
    dataset = load(Data(npz=str(real("pneumoniamnist.npz"))))
    assert [len(part) for part in dataset.split[:3]] == [3761, 408, 492]
    assert dataset.shape == data_shape(Data(npz=str(real("pneumoniamnist.npz"))))


MODULE = """
import numpy as np
x = np.random.default_rng(0).integers(0, 256, (60, 8, 6)).astype("uint8")
y = np.arange(60) % 3
def pair(): return x, y
def lists(): return [[i, 1.5] for i in range(60)], y.tolist()
def three(): return (x[:30], y[:30]), (x[30:45], y[30:45]), (x[45:], y[45:])
def two(): return (x[:30], y[:30]), (x[30:], y[30:])
def mapping(): return {"x": x, "y": y}
def ragged(): return [[1.0], [2.0, 3.0]] * 30, y
def absent_label(): return x, np.array([None, "a", "b"] * 20, object)
def nan_label(): return x, ["a", "b", float("nan")] * 20
def nan_number(): return x, [0, 1, float("nan")] * 20
def nothing(): return None
def raising():
    import os
    raise KeyError("no such thing")
def leaving(): raise SystemExit(3)
number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"mine_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("function", "sizes"),
    [("pair", [36, 12, 12]), ("lists", [36, 12, 12]), ("mapping", [36, 12, 12]), ("three", [30, 15, 15]),
     ("two", [24, 6, 30])],
)  # fmt: skip
def test_a_function_of_the_users_gives_arrays(tmp_path, module, function, sizes):
    data = Data(python=f"{module}:{function}")
    dataset = load(data, tmp_path)
    assert [len(part) for part in dataset.split[:3]] == sizes
    assert dataset.shape == data_shape(data, tmp_path)


def test_a_function_is_called_once_for_its_shape_and_its_data(tmp_path, module):
    (tmp_path / f"{module}.py").write_text(
        f"{MODULE}\ncalls = []\ndef load():\n    calls.append(1)\n    return x, y\n"
    )
    data = Data(python=f"{module}:load")
    assert data_shape(data, tmp_path) == data_shape(data, tmp_path)
    shape = load(data, tmp_path).shape
    calls = sys.modules[module].calls
    assert len(calls) == 1
    assert shape == data_shape(Data(python=data.python, test="none"), tmp_path)
    assert len(calls) == 2
    load(data, tmp_path)  # another time the data may be others
    assert len(calls) == 3


def test_an_array_on_disk_that_a_function_gives_stays_there(tmp_path, module, monkeypatch):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 4)))
    (tmp_path / f"{module}.py").write_text(
        f"import numpy as np\ndef load(): return np.load({str(path)!r}, 'r'), np.arange(60) % 3\n"
    )
    monkeypatch.setattr(loaded_module, "memory", lambda: 60 * 4 * 4)
    dataset = load(Data(python=f"{module}:load"), tmp_path)
    assert isinstance(dataset.x.stored, np.memmap)
    assert dataset.x.is_streamed
    assert np.array_equal(everything(dataset), np.load(tmp_path / "x.npy").astype(np.float32))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", r"returned NoneType; it must return \(x, y\)"),
        ("raising", r"raised KeyError: 'no such thing' \(mine_.*\.py, line 17\)"),
        ("ragged", "ragged: x can't be made an array: setting an array element"),
        ("absent_label", r"absent_label: y: 20 of 60 samples have no label \(None or NaN\)"),
        ("nan_label", "y: 20 of 60 samples have no label"),
        ("nan_number", "y: 20 of 60 samples have no label"),
        ("leaving", r"raised SystemExit: 3 \(mine_"),
        ("number", "int is no function"),
        ("absent", "has no 'absent'"),
    ],
)
def test_a_function_that_gives_no_arrays_is_refused_with_its_place(tmp_path, module, function, message):
    with pytest.raises(DataError, match=message):
        load(Data(python=f"{module}:{function}"), tmp_path)


def test_the_classes_of_keras_data_sets_are_named():
    assert len(CIFAR_100) == 100
    assert list(CIFAR_100) == sorted(CIFAR_100)
    assert {name: len(shape.classes) for name, shape in SHAPES.items()} == {
        "digits": 10, "mnist": 10, "fashion_mnist": 10, "cifar10": 10, "cifar100": 100,
    }  # fmt: skip


def idx(array):
    """The format of MNIST's own files."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.tobytes())


FRESH_PYTHON = """
from archsearch.data.shapes import data_shape
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space.data_words import Data

data = Data(source="fashion_mnist")
d = load(data)
assert d.shape == data_shape(data), d.shape
print(d.x.stored.shape, [len(part) for part in d.split[:3]], d.names[0], d.x.scale * 255)
try:
    load(Data(source="cifar10"))
except DataError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def cache_of_keras(tmp_path_factory):
    """A folder with Fashion-MNIST alone, and what Keras finds in it: that, and no CIFAR-10."""
    home = tmp_path_factory.mktemp("keras")
    sets = home / "datasets" / "fashion-mnist"
    sets.mkdir(parents=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images = RNG.integers(0, 256, (count, 28, 28), np.uint8)
        (sets / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (sets / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx((np.arange(count) % 10).astype(np.uint8)))
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {"KERAS_HOME": str(home), "http_proxy": nowhere, "https_proxy": nowhere}
    words = [sys.executable, "-c", FRESH_PYTHON]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read, *_, refused = done.stdout.splitlines()
    return home, read, refused


@pytest.mark.slow
def test_keras_data_sets_are_read_from_its_cache(cache_of_keras):
    _, read, _ = cache_of_keras
    assert read == "(80, 28, 28, 1) [48, 12, 20] x_train[0] 1.0"


@pytest.mark.slow
def test_keras_data_that_are_not_there_are_refused(cache_of_keras):
    home, _, refused = cache_of_keras
    assert f"data: cifar10 is not (or not whole) in Keras' cache, {home}" in refused
