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


def csv(tmp_path, text, **words):
    (tmp_path / "t.csv").write_text(text)
    return Data.model_validate({"csv": str(tmp_path / "t.csv"), "label": "ill"} | words)


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        (
            "1,2,3,{}",
            "1,2,3,{}",
            "line 2 has more fields than the header: give a column of row names a heading",
        ),
        ("1,2,{}", "1,5,2,{}", "Expected 3 fields in line 6, saw 4"),
    ],
    ids=["row names", "a decimal comma"],
)
def test_a_row_with_more_fields_than_the_header_is_refused(tmp_path, first, later, message):
    rows = [(first if number < 4 else later).format(number % 2) for number in range(40)]
    data = csv(tmp_path, "\n".join(["a,b,ill", *rows]))
    for reader in (load, data_shape):
        with pytest.raises(DataError, match=message):
            reader(data)


@pytest.mark.parametrize("name", [None, "id"])
def test_a_saved_index_is_no_column(tmp_path, name):
    table = TABLE.set_index(pd.Index(RNG.permutation(ROWS) + 1000, name=name))
    table.to_parquet(tmp_path / "t.parquet")
    data = Data(parquet=str(tmp_path / "t.parquet"), label="ill", drop=("name", "clinic"))
    assert data_shape(data) == load(data).shape
    assert load(data).shape.input_shape == (4,)


def test_a_column_without_a_heading_is_named(tmp_path):
    rows = "".join(f"{number},{number / 7},{number % 2}\n" for number in range(40))
    assert load(csv(tmp_path, f",a,ill\n{rows}")).notes[0] == (
        "the column Unnamed: 0 has no heading in the file and is a feature; if it numbers the rows, write "
        'drop: ["Unnamed: 0"]'
    )
    assert len(load(csv(tmp_path, f",a,ill\n{rows}", drop=["Unnamed: 0"])).notes) == 1


def test_columns_of_one_name_are_refused(tmp_path):
    data = csv(tmp_path, "a,b,a,ill\n" + "1,2,3,0\n4,5,6,1\n" * 20)
    with pytest.raises(DataError, match=r"more than one column is called a$"):
        load(data)


def test_equal_rows_are_on_one_side_of_a_split_of_archsearchs_own(write):
    table = pd.concat([TABLE, TABLE.assign(ill="no")], ignore_index=True)
    table.loc[ROWS:, "constant"] = 4.0
    dataset = load(write(table))
    sides = np.empty(2 * ROWS)
    for side, part in enumerate(dataset.split[:3]):
        sides[part] = side
    assert (sides[:ROWS] == sides[ROWS:]).all()
    free = load(write(table, allow_leaks=True)).split
    assert [len(part) for part in free[:3]] == [108, 36, 36]


def test_minus_zero_is_zero(write):
    table = TABLE.assign(
        pressure=np.where(np.arange(ROWS) < 45, 0.0, -0.0), age=np.arange(ROWS) % 45, smokes=1
    )
    dataset = load(write(table))
    assert len({frozenset(part % 45) for part in dataset.split[:3]}) == 3
    assert not set(dataset.split.train % 45) & set(dataset.split.val % 45)
