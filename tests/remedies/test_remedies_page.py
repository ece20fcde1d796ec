"""The page on remedies says what is advised, in the order in which it is."""

import re
from pathlib import Path

import pytest

from archsearch.diagnosis import Verdict
from archsearch.remedies import ADVICE

PAGE = (Path(__file__).parent.parent.parent / "docs" / "remedies.md").read_text(encoding="utf-8")
CODES = {each.change.code for row in ADVICE.values() for each in row}


@pytest.mark.parametrize("verdict", Verdict)
def test_the_page_gives_the_remedies_of_each_verdict_in_their_order(verdict):
    (row,) = re.findall(rf"^\| `{verdict}` \| (.*) \|$", PAGE, re.MULTILINE)
    # What a flag puts in front stands in a table of its own.
    always = [each.change.code for each in ADVICE[verdict] if not re.match("[a-z]", each.only_with)]
    assert re.findall(r"`([a-z0-9-]+)`", row) == always


def test_the_page_says_what_each_remedy_does():
    cells = re.findall(r"^\| ([^|]*`) \|", PAGE.split("## What each")[1], re.MULTILINE)
    assert {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)} == CODES


@pytest.mark.parametrize("verdict", Verdict)
def test_the_page_names_the_flags_that_change_the_order(verdict):
    flags = {mark for each in ADVICE[verdict] for mark in (each.only_with, each.unless) if "_" in mark}
    rows = re.findall(
        r"^\| `(\w+)` \| (`\w+`(?:, `\w+`)*) \|", PAGE.split("Flags change it")[1], re.MULTILINE
    )
    assert {flag for flag, verdicts in rows if f"`{verdict}`" in verdicts} == flags


def test_the_example_of_the_page_runs(capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(example, {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "raise-dropout | Raise dropout to 0.5 | dense 256·128·64 dropout 0.5 | "
        "adam, learning rate 0.001, batch 32"
    )
