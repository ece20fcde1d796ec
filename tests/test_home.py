"""Who has no home folder, as a container's user may, searches as everybody does."""

import tempfile
from pathlib import Path

import pytest

from archsearch.data.cache import cache_folder
from archsearch.errors import Refused
from archsearch.home import expanded
from archsearch.tracking.server import prepare_mlflow

TEMPORARY = Path(tempfile.gettempdir())


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setenv("HOME", "/home/me")  # so that it is put back
    for name in ("HOME", "ARCHSEARCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)


@pytest.mark.usefixtures("homeless")
def test_mlflow_finds_a_home() -> None:
    prepare_mlflow()
    assert Path.home() == TEMPORARY


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("path", ["~/photos", "~", "~nobody-of-this-name/photos"])
def test_a_path_from_a_home_that_is_not_there_is_refused(path: str) -> None:
    with pytest.raises(Refused, match=f"{path}: no home folder is known of '~"):
        expanded(path)


def test_a_path_that_starts_elsewhere_stays_as_it_is() -> None:
    assert [expanded(path) for path in ("./digits", "a~b/c", "/data/~me")] == [
        "./digits",
        "a~b/c",
        "/data/~me",
    ]


@pytest.mark.usefixtures("homeless")
def test_the_cache_of_images_has_its_place() -> None:
    assert cache_folder() == TEMPORARY / ".cache" / "archsearch"
