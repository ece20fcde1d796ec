"""HyperModels are built by a process that can be given up at any time."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("keras_tuner")

import hypermodels_of_a_user as user

from archsearch.errors import Refused
from archsearch.execution.builds import (
    Builder,
    BuilderSetup,
    BuildFailed,
    BuildStopped,
    Built,
    HyperModelSource,
)

pytestmark = pytest.mark.slow

NAMES = ("Slow", "Exits", "Forks", "Silent")
SOURCES = {name: HyperModelSource(f"hypermodels_of_a_user:{name}", {}) for name in NAMES}


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    made = Builder(BuilderSetup(SOURCES, Path(user.__file__).parent, user.SHAPE, user.CLASSES))
    yield made
    made.close()


def built(builder: Builder, family: str, **known: int) -> Built | BuildFailed:
    return builder.build(family, tuple(known.items()), None, 2, 64)


def test_a_build_is_given_up_when_the_search_is_to_stop_and_the_next_one_is_made(builder: Builder) -> None:
    assert isinstance(built(builder, "Slow"), Built)
    process, begun = builder._child.process, time.monotonic()
    builder.stops = lambda: time.monotonic() > begun + 0.5
    with pytest.raises(BuildStopped):
        built(builder, "Slow", units=32)
    assert time.monotonic() - begun < 60
    assert process.returncode is not None
    builder.stops = lambda: False
    assert isinstance(built(builder, "Slow"), Built)


def test_a_build_that_takes_too_long_has_failed(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(built(builder, "Slow"), Built)
    monkeypatch.setattr("archsearch.execution.builds.BUILD_SECONDS", 1.0)
    failed = built(builder, "Slow", units=32)
    assert isinstance(failed, BuildFailed)
    assert failed.reason == "hypermodels_of_a_user:Slow: not built after 1 seconds"


def test_a_build_that_takes_its_process_with_it_has_failed_and_the_next_one_is_made(builder: Builder) -> None:
    failed = built(builder, "Exits")
    assert isinstance(failed, BuildFailed)
    assert "the process that builds it ended with exit code 3" in failed.reason
    assert isinstance(built(builder, "Slow"), Built)


def test_a_backend_that_can_not_be_used_is_no_fault_of_the_hypermodel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    with pytest.raises(Refused, match="KERAS_BACKEND is numpy"):
        built(Builder(BuilderSetup(SOURCES, Path(), user.SHAPE, user.CLASSES)), "Slow")


def test_a_builder_ends_in_the_middle_of_a_build_when_its_driver_is_gone(builder: Builder) -> None:
    """Comes last: it takes the builder's pipe away."""
    assert isinstance(built(builder, "Slow"), Built)
    begun = time.monotonic()
    builder.stops = lambda: time.monotonic() > begun + 0.5
    child = builder._child
    builder._child, kill = child, child.kill
    child.kill = child._held.close
    with pytest.raises(BuildStopped):
        built(builder, "Slow", units=32)
    try:
        assert child.process.wait(timeout=120)
    finally:
        kill()
