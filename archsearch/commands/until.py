"""``--until``: when a run ends at the latest."""

from datetime import datetime

from archsearch.errors import Refused
from archsearch.schedule import moments


def moment(text: str, now: datetime | None = None) -> datetime:
    """The moment that ``--until`` names: see `archsearch.schedule.moments.moment`.

    Raises
    ------
    Refused
        If it is no time, its zone is unknown, or it is past.
    """
    try:
        return moments.moment(text, now)
    except ValueError as error:
        raise Refused(f"--until {text!r}: {error}") from None
