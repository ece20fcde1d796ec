"""What to do where another process runs the search: give up, leave it to that one, or wait."""

import time
from dataclasses import dataclass

from archsearch.commands.bounds import RunBounds
from archsearch.commands.notes import say
from archsearch.errors import SearchLocked, SearchSkipped
from archsearch.study import Place
from archsearch.study.holding import Hold

POLL_SECONDS = 1.0


class Taken(SearchLocked):
    """Another process runs a search that this one has not begun with."""


@dataclass(slots=True)
class Turn:
    """When it is this process's turn to run a search.

    Attributes
    ----------
    if_locked : str
        ``"fail"``, ``"skip"`` or ``"wait"``.
    bounds : RunBounds
        They bound the waiting, too.
    is_waiting : bool
        Whether it was said already who is waited for.
    """

    if_locked: str
    bounds: RunBounds
    is_waiting: bool = False

    def take(self, place: Place) -> Hold:
        """Take the search.

        Raises
        ------
        Taken
            If another process has it.
        """
        try:
            return place.lock()
        except SearchLocked as locked:
            raise Taken(str(locked)) from None

    def wait(self, place: Place, taken: Taken) -> None:
        """Wait until the search seems to be free, if it is to be waited for.

        Raises
        ------
        SearchLocked
            If it is not.
        SearchSkipped
            Likewise, or if this run's time is up.
        """
        if self.if_locked == "fail":
            raise SearchLocked(str(taken)) from None
        if self.if_locked == "skip":
            raise SearchSkipped(place.id, f"{taken}; skipped")
        if not self.is_waiting:
            say(f"{taken}; waiting until it is free")
            self.is_waiting = True
        while True:
            bound = self.bounds.nearest
            left = bound.seconds_left  # once: the clock goes on
            if left <= 0:
                raise SearchSkipped(place.id, f"{taken}; waited for in vain: {bound.reached}")
            time.sleep(min(POLL_SECONDS, left))
            if not place.is_held:
                return
