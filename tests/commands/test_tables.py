"""Tables: whole in a pipe, and on a narrow terminal nothing is cut that somebody may want to copy."""

import re

import pytest
from rich.cells import cell_len

from archsearch.commands import tables
from archsearch.commands.audit import waiting

COLUMNS = (">rank", "architecture", "verdict", ">score")
LONG = "conv 32·64 5×5 max dropout 0.2 → flatten → dense 64 dropout 0.5"
ROWS = [
    ["1", LONG, "good", "0.0500"],
    ["10", "dense 8", "not_converged", "0.1000"],
    ["–", "", "reference", "–"],
]


def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int | None
) -> list[str]:
    if width is not None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
    tables.print_table(COLUMNS, ROWS, long="architecture", dim=1)
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()


@pytest.mark.parametrize("width", [None, 110])
def test_where_there_is_room_a_row_is_one_line(
    width: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(capsys, monkeypatch, width)
    assert len(lines) == 1 + len(ROWS)
    assert lines[1].split() == ["1", *LONG.split(), "good", "0.0500"]
    assert [cell_len(line) for line in lines] == [cell_len(lines[0])] * len(lines)


@pytest.mark.parametrize("width", [80, 40, 10])
def test_where_there_is_none_the_architecture_stands_whole_on_a_line_of_its_own(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(capsys, monkeypatch, width)
    assert [" ".join(line.split()) for line in lines] == [
        "rank verdict score", "architecture",
        "1 good 0.0500", LONG,
        "10 not_converged 0.1000", "dense 8",
        "– reference –",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "left_out"), [(25, ()), (24, ("score",)), (17, ("score", "verdict"))])
def test_spare_columns_are_left_out_one_by_one_where_there_is_no_room(
    width: int,
    left_out: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    tables.print_table(COLUMNS, ROWS, long="architecture", spare=("score", "verdict"))
    heading = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()[0]
    assert heading.split() == [word for word in ("rank", "verdict", "score") if word not in left_out]


def test_colons_in_the_user_s_words_make_no_pictures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.console().print("mod:three: 8×8")
    assert capsys.readouterr().out == "mod:three: 8×8\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with waiting("loading [red]mod:three: …"):
        pass
    assert "[red]mod:three: …" in capsys.readouterr().err
