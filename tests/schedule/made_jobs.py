"""Jobs for tests of the schedulers' files."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from archsearch.schedule import Job

NAMES_OF_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def job(**changes: Any) -> Job:
    """A job with a time and a bound."""
    words = {
        "name": "digits",
        "space": "/home/ada/spaces/digits.yaml",
        "folder": Path("/home/ada/spaces"),
        "store": Path("/data/searches"),
        "at": "0 2 * * *",
        "hours": 6.0,
    }
    return Job(**{**words, **changes})


def texts(without: str = "", most: int = 20) -> st.SearchStrategy[str]:
    """What a path may hold and a line of text can: quotes, blanks, percent signs and so on come often."""
    letters = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=without)
    difficult = [c for c in "'\"%$ \\;#&|*?~`!{}()<>=:@-+,äπ猫" if c not in without]
    return st.text(st.sampled_from(difficult) | letters, min_size=1, max_size=most)


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """A field of a cron expression: one item or several."""
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.integers(1, high)
    item = st.one_of(
        st.just("*"),
        number.map(str),
        spans,
        st.tuples(st.just("*") | spans, steps).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        *([st.sampled_from(names)] if names else []),
    )
    return st.just("*") | st.lists(item, min_size=1, max_size=3).map(",".join)


EXPRESSIONS = st.tuples(
    fields(0, 59),
    fields(0, 23),
    fields(1, 31),
    fields(1, 12, ("jan", "Feb", "DEC")),
    fields(0, 7, NAMES_OF_DAYS),
).map(" ".join)
