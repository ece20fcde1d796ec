"""Files of loss curves: every form is understood, and what can't be used is refused with its place."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from archsearch.diagnosis import Context
from archsearch.errors import DataError
from archsearch.histories import RecordedCurve, read_file

NAN = float("nan")


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "curves.csv") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def only(path: Path) -> RecordedCurve:
    found = read_file(path)
    assert not found.faults
    (curve,) = found.curves
    return curve


def table(val_loss: str, train_loss: str = "1 1 1 1 1 1", epochs: str = "0 1 2 3 4 5") -> Path:
    """A file with these cells; ``.`` is an empty one."""
    rows = zip(epochs.split(), train_loss.split(), val_loss.split(), strict=True)
    lines = [",".join(cell.replace("_", "") for cell in row) for row in rows]
    return written("\n".join(["epoch,loss,val_loss", *lines, ""]))


# One history as different programs write it.
LOSSES, VAL_LOSSES = [0.9, 0.5, 0.25], [1.0, 0.75, 0.5]
FORMS = {
    "CSVLogger": "epoch,accuracy,loss,val_loss\n0,0.5,0.9,1.0\n1,0.6,0.5,0.75\n2,0.7,0.25,0.5\n",
    "semicolons": "epoch;loss;val_loss\n0;0.9;1.0\n1;0.5;0.75\n2;0.25;0.5\n",
    "tabs, spaces and a byte order mark": (
        "\ufeffepoch\tloss \tval_loss\n1\t0.9\t1.0\n2\t0.5\t0.75\n3\t0.25\t0.5\n"
    ),
    "Windows' line ends": "epoch,train_loss,val_loss\r\n0,0.9,1.0\r\n1,0.5,0.75\r\n2,0.25,0.5\r\n",
    "blank lines": "\n\nepoch,loss,val_loss\n0,0.9,1.0\n\n1,0.5,0.75\n,,\n2,0.25,0.5\n\n",
    "History.history": json.dumps({"loss": LOSSES, "accuracy": [0, 1, 1], "val_loss": VAL_LOSSES}),
    "pandas' index": pd.DataFrame({"loss": LOSSES, "val_loss": VAL_LOSSES}).to_csv(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_history_is_the_same_in_every_form(form: str) -> None:
    curve = only(written(FORMS[form], "training.log"))
    assert curve.name == "training.log"
    assert_array_equal(curve.curves.train_loss, LOSSES)
    assert_array_equal(curve.curves.val_loss, VAL_LOSSES)


def test_parquet_is_read_like_csv_whatever_the_file_is_called() -> None:
    frame = pd.DataFrame(
        {"curve": ["b", "b", "a"], "epoch": [1, 2, 1], "loss": [3.0, 2, 1], "val_loss": [1.0] * 3}
    )
    frame.to_parquet("plain.table")
    frame.set_index(["curve", "epoch"]).to_parquet("indexed.table")
    frame.to_csv("text.table", index=False)
    for name in ("plain.table", "indexed.table", "text.table"):
        b, a = read_file(Path(name)).curves
        assert (b.name, a.name) == ("b", "a")
        assert_array_equal(b.curves.train_loss, [3, 2])


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("curve", b"\xff", r"row 1: column curve holds b'\xff', which is no name"),
        ("curve", [1, 2], "row 1: column curve holds array([1, 2]), which is no name"),
        ("loss", [1.0], "row 1: column loss holds array([1.]), which is no number"),
    ],
)
def test_bytes_and_nested_values_in_parquet_are_refused(column: str, cell: object, message: str) -> None:
    columns = {"epoch": [0], "loss": [1.0], "val_loss": [1.0]} | {column: [cell]}
    pd.DataFrame(columns).to_parquet("odd.parquet")
    with pytest.raises(DataError) as refused:
        read_file(Path("odd.parquet"))
    assert message in str(refused.value)


@pytest.mark.parametrize("end", ["3,0.2", "3", "3,0.2\n", "3,0.2,"])
def test_a_last_line_that_is_still_being_written_is_left_out_and_said(end: str) -> None:
    curve = only(written("epoch,loss,val_loss\n0,1,1\n1,1,1\n2,1,1\n" + end))
    assert_array_equal(curve.curves.val_loss, [1, 1, 1])
    assert curve.notes == (
        "The last line is not whole and is left out: the file may still be being written.",
    )


def test_a_whole_last_line_without_a_number_stays_a_nan_tail() -> None:
    assert_array_equal(only(written("epoch,loss,val_loss\n0,1,1\n1,1,\n")).curves.val_loss, [1, NAN])
    assert_array_equal(only(written("epoch,loss,val_loss\n0,1,1\n1,1,\n2,1,")).curves.val_loss, [1, NAN, NAN])


@pytest.mark.parametrize(
    "text",
    [
        "Epoch,Loss,Val_Loss\n0,0.9,1.0\n1,0.5,0.75\n",
        "step,train_loss,val_loss\n0,0.9,1.0\n1,0.5,0.75\n",
        "epoch,step,loss,val_loss\n0,500,0.9,1.0\n1,1000,0.5,0.75\n",
        "epoch;loss;val_loss\n0;0,9;1,0\n1;0,5;0,75\n",
        '{"Loss": [0.9, 0.5], "val_Loss": [1.0, 0.75]}',
    ],
)
def test_usual_ways_of_writing_are_understood(text: str) -> None:
    curve = only(written(text))
    assert_array_equal(curve.curves.train_loss, [0.9, 0.5])
    assert_array_equal(curve.curves.val_loss, [1.0, 0.75])
    assert not curve.notes


def test_rows_without_epochs_are_one_each_and_this_is_said() -> None:
    found = read_file(written("curve,loss,val_loss\na,3,1\nb,4,1\na,2,1\nb,5,1\n"))
    assert [list(curve.curves.train_loss) for curve in found.curves] == [[3, 2], [4, 5]]
    for curve in found.curves:
        assert curve.notes == ("There is no column epoch: each row is taken for one.",)


def test_lists_of_every_second_epoch_s_validation_stand_where_it_was_done() -> None:
    history = {"loss": [5, 4, 3, 2, 1], "val_loss": [2, 1], "val_accuracy": [0.5, 0.75]}
    curve = only(written(json.dumps(history)))
    assert_array_equal(curve.curves.val_loss, [NAN, 2, NAN, 1])
    assert_array_equal(curve.curves.val_accuracy, [NAN, 0.5, NAN, 0.75])
    assert "one validation in 2 epochs" in curve.notes[0]


def test_losses_that_are_never_both_there_are_refused() -> None:
    found = read_file(table(val_loss="3 _ 2 _ 1 _", train_loss="_ 3 _ 2 _ 1"))
    assert "no row has both losses" in found.faults[0]


def test_names_of_curves_are_text() -> None:
    path = written("curve,epoch,loss,val_loss\n007,0,1,1\nNA,0,1,1\n1.50,0,1,1\n")
    assert [curve.name for curve in read_file(path).curves] == ["007", "NA", "1.50"]


def test_what_else_is_known_is_read_by_name() -> None:
    columns = "epoch,train_loss,loss,val_loss,train_loss_eval,lr,val_accuracy"
    columns += ",n_val,early_stopped,dropout,prior_entropy\n"
    curve = only(written(columns + "0,1,9,2,3,0.1,0.5,,true,0.2,\n1,1,9,2,3,0.1,0.5,400,True,0.2,0.69\n"))
    assert_array_equal(curve.curves.train_loss, [1, 1])
    assert_array_equal(curve.curves.train_loss_eval, [3, 3])
    assert_array_equal(curve.curves.learning_rate, [0.1, 0.1])
    assert_array_equal(curve.curves.val_accuracy, [0.5, 0.5])
    assert curve.context == Context(n_val=400, early_stopped=True, dropout=True, prior_entropy=0.69)


def test_what_is_empty_all_along_is_absent() -> None:
    curve = only(written("epoch,loss,val_loss,train_loss_eval,n_val,lr\n0,1,1,,,NA\n1,1,1,NaN,,\n"))
    assert curve.curves.train_loss_eval is None
    assert curve.curves.learning_rate is None
    assert curve.context == Context()


@pytest.mark.parametrize("word", ["_", "NaN", "nan", "NA", "null", "None"])
def test_an_empty_cell_and_nan_are_the_same(word: str) -> None:
    curve = only(table(val_loss=f"3 {word} 2 {word} 1 {word}", train_loss=f"3 3 3 3 3 {word}"))
    assert_array_equal(curve.curves.val_loss, [3, NAN, 2, NAN, 1, NAN])
    assert_array_equal(curve.curves.train_loss, [3, 3, 3, 3, 3, NAN])
    assert not curve.notes


def test_where_a_program_logs_the_best_so_far_the_lowest_is_known() -> None:
    curve = only(written("epoch,loss,val_loss,best_val_loss\n0,1,3,3\n1,1,2,2\n2,1,4,2\n"))
    assert curve.context.best_val_loss == 2


def test_infinite_numbers_stay() -> None:
    curve = only(table(val_loss="3 2 1 inf -inf Infinity"))
    assert_array_equal(curve.curves.val_loss, [3, 2, 1, np.inf, -np.inf, np.inf])


def test_after_the_last_of_regular_validations_nothing_was_to_be_measured() -> None:
    curve = only(table(val_loss="_ 3 _ 2 _ _", epochs="0 1 2 3 4 5"))
    assert len(curve.curves.val_loss) == 6, "the sixth was to be measured"
    curve = only(table(val_loss="3 _ 2 _ 1 _"))
    assert_array_equal(curve.curves.val_loss, [3, NAN, 2, NAN, 1])
    assert len(curve.curves.train_loss) == 5
    assert "not measured at each" in curve.notes[0]


def test_epochs_out_of_order_are_sorted_and_said() -> None:
    curve = only(table(val_loss="6 5 3 4 2 1", epochs="0 1 3 2 4 5"))
    assert_array_equal(curve.curves.val_loss, [6, 5, 4, 3, 2, 1])
    assert curve.notes == ("Rows were out of order and are sorted by epoch.",)


def test_missing_epochs_are_not_measured_and_said() -> None:
    curve = only(table(val_loss="6 5 4 3 2 1", epochs="1 2 5 6 8 9"))
    assert_array_equal(curve.curves.val_loss, [6, 5, NAN, NAN, 4, 3, NAN, 2, 1])
    assert curve.notes == ("3 epochs are missing (3–4, 7): taken as not measured.",)


def test_epochs_at_equal_distances_are_one_each() -> None:
    path = written("epoch,loss,val_loss,planned_epochs\n10,1,3,100\n20,1,2,100\n40,1,1,100\n")
    curve = only(path)
    assert_array_equal(curve.curves.val_loss, [3, 2, NAN, 1])
    assert curve.context.planned_epochs == 10
    assert curve.notes == (
        "The first epoch is 10: epochs are counted from there.",
        "Epochs are 10 apart throughout: each counts as one.",
        "1 epoch is missing (30): taken as not measured.",
    )


def test_negative_losses_are_allowed_and_said() -> None:
    curve = only(table(val_loss="1 0 -1 -2 -3 -4"))
    assert_array_equal(curve.curves.val_loss, [1, 0, -1, -2, -3, -4])
    assert curve.notes == ("There are negative numbers in val_loss: judged as they are.",)


def test_an_accuracy_in_percent_is_left_aside_and_said() -> None:
    curve = only(written("epoch,loss,val_loss,val_accuracy\n0,1,1,50\n1,1,1,\n"))
    assert curve.curves.val_accuracy is None
    assert curve.notes == ("val_accuracy exceeds 1, so it is no share, and is left aside.",)


def test_two_losses_without_any_number_are_kept_one_is_refused() -> None:
    only(table(val_loss="_ _ _ _ _ _", train_loss="_ _ _ _ _ _"))
    found = read_file(table(val_loss="_ _ _ _ _ _"))
    assert not found.curves
    assert found.faults == (
        "curves.csv: curve curves.csv: val_loss has no number in any row: it must be recorded to be judged",
    )


def test_a_curve_that_can_t_be_used_leaves_the_others() -> None:
    rows = ["a,0,1,1", "b,0,1,1", "a,1,1,1", "b,0,1,1", "b,0,1,1", "c,0,1,1", "c,900,1,1", "c,901,1,1"]
    found = read_file(written("\n".join(["curve,epoch,loss,val_loss", *rows])))
    assert [curve.name for curve in found.curves] == ["a"]
    twice, far = found.faults
    assert twice.startswith("curves.csv: curve b: epoch 0 is there 3 times, in lines 3, 5, 6: keep one row")
    assert far.startswith(
        "curves.csv: curve c: 3 rows for the epochs 0 to 901: more are missing than are there"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "curves.csv: is empty (0 bytes)"),
        (" \n\n", "curves.csv: is empty (3 bytes)"),
        ("epoch,loss,val_loss\n", "curves.csv: no rows below the columns epoch, loss, val_loss"),
        ("name: x\nfamilies: {a: 1, b: 2}\n", "curves.csv:1: no table of loss curves; meant is CSV"),
        ("epoch,acc\n0,1\n", "no column train_loss or loss, no column val_loss; the columns are epoch, acc"),
        ("epoch,loss,val_loss\n0,1,1\n\n1,x,1\n", "curves.csv:4: column loss holds 'x', which is no number"),
        ("epoch,loss,val_loss\n0,1,yes\n", "curves.csv:2: column val_loss holds 'yes', which is no number"),
        ("epoch;loss;val_loss\n0;1,5;1\n1;0.5;1\n", "column loss holds '1,5', which is no number"),
        ("epoch,loss,val_loss\n0,1\n1,1,1\n", "curves.csv:2: has 2 of 3 fields"),
        ("epoch,loss,val_loss\n0,1,1\n# on\n1,1,1\n", "curves.csv:3: has 1 of 3 fields; take lines of"),
        ("# lr 0.1\nepoch,loss,val_loss\n0,1,1\n", "curves.csv:1: begins with #: take lines of comment out"),
        ("epoch,Loss,LOSS,val_loss\n0,1,1,1\n", "curves.csv:1: more than one column is called loss"),
        ("epoch,\x1b[31mloss,val_loss\n0,1,1\n", r"the columns are epoch, '\x1b[31mloss', val_loss"),
        ("epoch,loss,val_loss\n1e400,1,1\n", "curves.csv:2: column epoch holds inf"),
        ("epoch,loss,val_loss\n0,1,1\n,1,1\n", "curves.csv:3: column epoch is empty"),
        ("epoch,loss,val_loss\n0.5,1,1\n", "curves.csv:2: column epoch holds 0.5; epochs are whole numbers"),
        ("epoch,loss,val_loss\n-1,1,1\n", "curves.csv:2: column epoch holds -1"),
        ("epoch,loss,val_loss\n1e300,1,1\n", "curves.csv:2: column epoch holds 1e+300"),
        ("curve,epoch,loss,val_loss\na,0,1,1\n,1,1,1\n", "curves.csv:3: column curve is empty"),
        ("epoch,loss,loss,val_loss\n0,1,1,1\n", "curves.csv:1: more than one column is called loss"),
        ("epoch,loss,val_loss\n0,1,1,1\n", "curves.csv: rows have more fields than the first line"),
        ("epoch,loss,val_loss\n0,1,1\n1,1,1,1\n", "Expected 3 fields in line 3, saw 4"),
        ('{"loss": [1, 2], "val_loss": [1]}', "the lists differ in length (loss 2, val_loss 1)"),
        ('{"loss": [1],\n "val_loss": ]', "curves.csv:2:14: is no JSON"),
        ('{"loss": [1], "loss": [2], "val_loss": [1]}', "curves.csv: more than one column is called loss"),
        ('{"loss": [1, 2, 3, 4, 5], "val_loss": [1]}', "the lists differ in length (loss 5, val_loss 1)"),
        ('{"accuracy": [1]}', "curves.csv: no list called loss or val_loss; the names are accuracy"),
        ('{"loss": [1], "accuracy": [1]}', "no column val_loss; the columns are epoch, loss, accuracy"),
        ('{"loss": [1, "x"], "val_loss": [1, 1]}', "curves.csv: row 2: column loss holds 'x'"),
        ("[1, 2]", "curves.csv: holds a list, not an object of lists"),
        ("[" * 100_000, "curves.csv: is no JSON"),
        ("PAR1 and no more", "curves.csv: can't be read as Parquet"),
    ],
)  # fmt: skip
def test_what_can_t_be_read_is_refused_with_what_was_found(text: str, message: str) -> None:
    with pytest.raises(DataError) as refused:
        read_file(written(text))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("n_val 100 200", "curves.csv:3: column n_val holds 200, but 100 at line 2 of the same curve"),
        ("n_val 10.5 NA", "curves.csv:2: n_val is 10.5, which is no whole number from 1 up"),
        ("prior_entropy 0 0", "curves.csv:2: prior_entropy is 0.0, which is not above 0"),
        ("reference_loss inf inf", "curves.csv:2: reference_loss is inf, which is not finite"),
        ("val_loss_spread -1 -1", "curves.csv:2: val_loss_spread is -1.0, which is below 0"),
        ("planned_epochs 1 1", "curves.csv: curve curves.csv: planned_epochs is 1, but there are 2 epochs"),
        ("early_stopped NA 2", "curves.csv:3: early_stopped is 2.0, which is neither true nor false"),
    ],
)
def test_what_is_known_of_a_curve_must_make_sense(cells: str, message: str) -> None:
    name, first, second = cells.split()
    found = read_file(written(f"epoch,loss,val_loss,{name}\n0,1,1,{first}\n1,1,1,{second}\n"))
    assert found.faults == (message,)


def test_a_folder_a_missing_file_and_bytes_are_refused() -> None:
    Path("bytes").write_bytes(bytes(range(256)))
    for name, message in {
        ".": r"\.: is a folder; name the files in it, such as \*\.csv",
        "none.csv": "none.csv: no such file",
        "bytes": "bytes: is neither Parquet nor text in UTF-8",
    }.items():
        with pytest.raises(DataError, match=message):
            read_file(Path(name))


losses = st.floats(allow_nan=True, allow_infinity=True, width=64)


@st.composite
def made_curves(draw: st.DrawFn) -> dict[str, tuple[list[float], list[float]]]:
    names = draw(
        st.lists(st.text("abc01 é,;\"'", min_size=1).map("x".__add__), min_size=1, max_size=3, unique=True)
    )
    curves = {}
    for name in names:
        epochs = draw(st.integers(1, 6))
        # The last is a number: what an empty end means is another promise.
        series = st.lists(losses, min_size=epochs - 1, max_size=epochs - 1)
        curves[name] = ([*draw(series), 1.0], [*draw(series), 2.0])
    return curves


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made_curves(), st.randoms(use_true_random=False), st.sampled_from(",;\t"), st.booleans())
def test_curves_survive_a_file_whatever_the_order_of_its_rows_and_columns(
    curves: dict[str, tuple[list[float], list[float]]], random, separator: str, parquet: bool
) -> None:
    rows = [
        (name, epoch, *pair)
        for name, (train, val) in curves.items()
        for epoch, pair in enumerate(zip(train, val, strict=True))
    ]
    random.shuffle(rows)
    columns = ["curve", "epoch", "train_loss", "val_loss"]
    frame = pd.DataFrame(rows, columns=columns)[random.sample(columns, 4)]
    if parquet:
        frame.to_parquet("made")
    else:
        frame.to_csv("made", index=False, sep=separator)
    found = read_file(Path("made"))
    assert not found.faults
    assert [curve.name for curve in found.curves] == list(dict.fromkeys(row[0] for row in rows))
    for curve in found.curves:
        for read, real in zip(
            (curve.curves.train_loss, curve.curves.val_loss), curves[curve.name], strict=True
        ):
            # pandas before 3 reads the last bit of some numbers differently.
            np.testing.assert_allclose(read, real, rtol=1e-15)
