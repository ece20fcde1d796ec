"""Who has no home folder, as a container's user may, searches as everybody does."""

import tempfile
from pathlib import Path

import pytest

from archsearch.data.cache import cache_folder
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
def test_the_cache_of_images_has_its_place() -> None:
    assert cache_folder() == TEMPORARY / ".cache" / "archsearch"
