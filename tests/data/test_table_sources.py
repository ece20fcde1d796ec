import numpy as np
import pandas as pd
import pytest

from archsearch.data.shapes import data_shape
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space.data_words import Data

RNG = np.random.default_rng(0)
ROWS = 90
TABLE = pd.DataFrame(
    {
        "age": RNG.integers(20, 90, ROWS),
        "pressure": RNG.normal(120, 15, ROWS),
        "smokes": np.arange(ROWS) % 2 == 0,
        "constant": 4.0,
        "name": [f"patient {number}" for number in range(ROWS)],
        "clinic": [f"clinic {number // 3}" for number in range(ROWS)],
        "ill": np.array(["no", "yes", "maybe"])[np.arange(ROWS) % 3],
    }
)


@pytest.fixture(params=["csv", "parquet"])
def write(request, tmp_path):
    def write(table, **words):
        path = tmp_path / f"table.{request.param}"
        table.to_csv(path, index=False) if request.param == "csv" else table.to_parquet(path)
        return Data.model_validate(
            {request.param: str(path), "label": "ill", "drop": ["name", "clinic"]} | words
        )

    return write


def everything(dataset):
    return dataset.x.take(np.arange(len(dataset.x)))


def test_a_table_is_features_and_classes_without_its_labels_and_dropped_columns(write):
    data = write(TABLE)
    dataset = load(data)
    assert dataset.shape == data_shape(data)
    assert dataset.shape.input_shape == (4,)
    assert dataset.shape.classes == ("maybe", "no", "yes")
    assert list(dataset.y[:3]) == [1, 2, 0]
    assert dataset.names[16] == "row 17"
    assert [len(part) for part in dataset.split[:3]] == [54, 18, 18]


def test_features_have_mean_0_and_deviation_1_in_the_training_part_alone(write):
    dataset = load(write(TABLE))
    train, others = everything(dataset)[dataset.split.train], everything(dataset)[dataset.split.test]
    assert train.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert train.std(axis=0) == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert others.mean(axis=0)[:2] != pytest.approx(0, abs=1e-3)
    assert "features were standardised with the training set's means and deviations" in dataset.notes


def test_yes_and_no_are_one_and_zero(write):
    smokes = everything(load(write(TABLE)))[:, 2]
    assert np.array_equal(smokes > 0, TABLE["smokes"])


def test_whole_numbers_are_classes_in_their_order(write):
    dataset = load(write(TABLE.assign(ill=np.array([10, 2, 1])[np.arange(ROWS) % 3])))
    assert dataset.shape.classes == ("1", "2", "10")
    assert list(dataset.y[:3]) == [2, 1, 0]


def test_a_column_of_groups_is_no_feature_and_is_never_on_two_sides(write):
    data = write(TABLE, drop=["name"], groups="clinic")
    dataset = load(data)
    assert dataset.shape.input_shape == data_shape(data).input_shape == (4,)
    sides = [set(dataset.groups[part]) for part in dataset.split[:3]]
    assert sum(map(len, sides)) == len(set().union(*sides))
    again = load(write(TABLE, drop=["name"], groups={"column": "clinic"}))
    assert again.fingerprint == dataset.fingerprint


def with_holes(column, rows):
    table = TABLE.copy()
    table[column] = table[column].astype(object)
    table.loc[rows, column] = None
    return table if column in ("ill", "clinic") else table.astype({column: float})


def test_a_row_without_a_group_is_a_group_of_its_own(write):
    dataset = load(write(with_holes("clinic", [0, 5]), drop=["name"], groups="clinic"))
    assert [index for index, group in enumerate(dataset.groups) if not group] == [0, 5]


@pytest.mark.parametrize(
    ("table", "words", "message"),
    [
        (TABLE, {"drop": []}, r"hold no numbers: name, clinic; .* under drop: \[name, clinic\]"),
        (
            with_holes("age", [0, 5]).assign(pressure=np.nan),
            {},
            r"missing in age \(2\), pressure \(90\) of 90",
        ),
        (with_holes("ill", [3, 7]), {}, "2 rows have no ill, the first is row 4"),
        (TABLE, {"label": "sick"}, "label: no column sick; the columns are age, pressure, smokes"),
        (TABLE, {"drop": ["name", "x", "y"]}, "drop: no column x, y; the columns are"),
        (TABLE, {"groups": "site"}, "groups: no column site"),
        (TABLE, {"drop": list(TABLE.columns[:-1])}, "no columns are left as features"),
        (TABLE.assign(ill="no"), {}, "one class only, no; there must be at least two"),
        (TABLE.assign(ill=TABLE["pressure"]), {}, "ill holds fractions; classes are whole numbers or text"),
        (TABLE.assign(age=np.inf), {}, "infinite numbers in age"),
        (TABLE[:0], {}, "the table has no rows"),
        (TABLE.assign(ill=np.arange(ROWS)), {}, "the class 0 has 1 samples, and 3 parts need one each"),
    ],
)
def test_tables_that_can_not_be_trained_on_are_refused_with_what_to_write(write, table, words, message):
    with pytest.raises(DataError, match=message):
        load(write(table, **words))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_that_are_no_tables_are_refused(tmp_path, kind):
    (tmp_path / "table").write_bytes(b'\xff\xfe\x00"\x00')
    for reader in (load, data_shape):
        with pytest.raises(DataError, match=f"data: {kind}: table: can't be read as {kind}"):
            reader(Data.model_validate({kind: "table", "label": "ill"}), tmp_path)
        with pytest.raises(DataError, match=f"data: {kind}: nowhere: no such file"):
            reader(Data.model_validate({kind: "nowhere", "label": "ill"}), tmp_path)
