"""The sample report in the repository is what the present code makes of a recorded search."""

import os
import re
import shutil
from pathlib import Path

import pytest

from archsearch.commands.report import redraw
from archsearch.study import Place

TREE = Path(__file__).parent.parent.parent
RECORDED = TREE / "tests" / "recorded" / "digits.sqlite"
SAMPLE = TREE / "reports" / "sample.html"


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """The report of the recorded search, drawn now."""
    shutil.copy(RECORDED, tmp_path / "record.sqlite")
    return redraw(Place(tmp_path), tmp_path / "sample.html")


def without_drawings(page: str) -> str:
    # Another release of the drawing library moves a digit here or there.
    return re.sub(r"<svg.*?</svg>", "<svg/>", page, flags=re.DOTALL)


def test_the_sample_report_is_up_to_date(drawn: Path) -> None:
    if "UPDATE_SAMPLE" in os.environ:
        shutil.copy(drawn, SAMPLE)
    assert without_drawings(SAMPLE.read_text()) == without_drawings(drawn.read_text()), (
        "the report has changed: look at it, then UPDATE_SAMPLE=1 pytest tests/report/test_sample_report.py"
    )


def test_a_recorded_search_still_has_its_ranking(drawn: Path) -> None:
    page = drawn.read_text()
    assert "conv 32·64 5×5 max dropout 0.2 → flatten → dense 64" in page
    assert page.count('<article class="card') == 24
