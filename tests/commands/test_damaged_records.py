"""A record that is damaged is refused by every command; what is whole beside it is shown."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_up import recorded, space

from archsearch.cli import main
from archsearch.study import Store

RECORDED = Path(__file__).parent.parent / "recorded" / "digits.sqlite"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one search that is whole, and another whose record was cut off."""
    store = Store(tmp_path / "mlruns")
    store.prepare()
    recorded(store.path / "searches" / "made-up-1", space()).close()
    folder = store.path / "searches" / "digits-1"
    folder.mkdir()
    content = RECORDED.read_bytes()
    (folder / "record.sqlite").write_bytes(content[: len(content) // 2])
    return store


def told(store: Store, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--store", str(store.path)])


@pytest.mark.parametrize(
    "words", [("run", "digits"), ("report", "digits"), ("report", "digits-1"), ("list",)]
)
def test_a_damaged_record_is_refused_with_its_path_and_what_to_do(
    store: Store, words: tuple[str, ...]
) -> None:
    result = told(store, *words)
    assert result.exit_code == 2
    assert f"{store.path}/searches/digits-1/record.sqlite: damaged" in result.stderr
    assert "restore the file from a copy" in result.stderr
    assert "--new" in result.stderr
    assert not (store.path / "searches" / "digits-1" / "lock").exists()


def test_what_is_whole_is_listed_beside_it(store: Store) -> None:
    assert "made-up-1" in told(store, "list").stdout


def test_another_search_can_be_begun_beside_it(store: Store) -> None:
    of = space(name="digits")
    place = store.place_for(of, new=True)
    assert not place.folder.exists()


def test_a_copy_that_is_restored_is_all_it_needs(store: Store) -> None:
    shutil.copy(RECORDED, store.path / "searches" / "digits-1" / "record.sqlite")
    listed = told(store, "list")
    assert (listed.exit_code, listed.stderr) == (0, "")
