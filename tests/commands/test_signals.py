"""Which signals stop a search, and which one stays ignored where that was asked for."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from archsearch.commands.interrupts import SIGNALS, Interrupted, Interrupts
from archsearch.execution.child import STOPPING


@pytest.fixture(autouse=True)
def _hang_up_as_before() -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_stops_at_once_or_where_all_is_saved(number: signal.Signals) -> None:
    with Interrupts(), pytest.raises(Interrupted):
        _come(number)
    with Interrupts() as interrupts, interrupts.deferred() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(1)


def _come(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(1)  # which the handler ends


def test_a_closed_terminal_is_such_a_signal_also_for_workers() -> None:
    assert signal.SIGHUP in SIGNALS
    assert set(STOPPING) == set(SIGNALS)


def test_nohup_keeps_a_search_from_being_stopped_by_a_closed_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts, interrupts.deferred() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.wait(0.05)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
