import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from image_folders import class_folders, write_image

from archsearch.data import cache as cache_module
from archsearch.data import images
from archsearch.data.cache import cache_folder
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space.data_words import Data


@pytest.fixture
def folder(tmp_path):
    return class_folders(tmp_path / "d")


def words(folder, **more):
    return Data.model_validate({"image_folder": str(folder), **more})


@pytest.fixture
def decoded(monkeypatch):
    """The files that are decoded."""
    seen = []

    def watched(path, shape):
        seen.append(path)
        return decode(path, shape)

    decode = images.decode
    monkeypatch.setattr(images, "decode", watched)
    return seen


def entries(cache):
    return sorted(cache.iterdir())


def test_images_are_decoded_once(folder, cache, decoded):
    first = load(words(folder))
    again = load(words(folder))
    assert len(decoded) == 20
    assert len(entries(cache)) == 1
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.x.stored, first.x.stored)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write_image(folder / "cat" / "new.png", 99),
        lambda folder: write_image(folder / "cat" / "3.png", 99),
        lambda folder: (folder / "cat" / "3.png").unlink(),
        lambda folder: os.utime(folder / "cat" / "3.png", (1, 1)),
    ],
    ids=["one more", "another one", "one less", "touched"],
)
def test_a_change_of_the_files_is_seen(folder, decoded, change):
    load(words(folder))
    decoded.clear()
    change(folder)
    load(words(folder))
    assert decoded


@pytest.mark.parametrize("change", [{"image_size": [5, 5]}, {"color": "rgb"}])
def test_another_size_or_color_is_decoded_anew(folder, decoded, change):
    load(words(folder))
    decoded.clear()
    assert load(words(folder, **change)).shape != load(words(folder)).shape
    assert len(decoded) == 20


def half(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


def emptied(_):
    return b""


def zeroed(content):
    return bytes(len(content))


def wrong_end(content):
    return content[:-40] + b"\xff" * 20 + content[-20:]


@pytest.mark.parametrize("damage", [half, flipped, wrong_end, emptied, zeroed])
def test_a_damaged_entry_is_made_again(folder, cache, decoded, damage):
    first = load(words(folder))
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    entry.unlink()  # it is mapped into this process's memory
    entry.write_bytes(damage(whole))
    decoded.clear()
    again = load(words(folder))
    assert len(decoded) == 20
    assert np.array_equal(again.x.stored, first.x.stored)
    assert again.fingerprint == first.fingerprint
    assert entry.read_bytes() == whole


@pytest.mark.parametrize("place", ["file/below", "file"])
def test_a_cache_folder_that_can_not_be_written_stops_nothing_and_is_said(
    folder, tmp_path, monkeypatch, place
):
    kept = load(words(folder))
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ARCHSEARCH_CACHE", str(tmp_path / place))
    dataset = load(words(folder))
    assert np.array_equal(dataset.x.stored, kept.x.stored)
    assert dataset.fingerprint == kept.fingerprint
    assert dataset.notes[0].startswith(
        "the cache folder can't be written, each process decodes the images itself:"
    )


def test_a_disk_that_fills_leaves_nothing_behind_and_says_what_to_do(folder, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "_write", full)
    with pytest.raises(
        DataError, match=r"no room .*No space left on device; let ARCHSEARCH_CACHE name a folder"
    ):
        load(words(folder))
    assert entries(cache) == []


def test_processes_that_load_at_once_all_get_the_images(folder, cache):
    code = (
        "from archsearch.space.data_words import Data\nfrom archsearch.data.sources import load\n"
        f"print(load(Data(image_folder={str(folder)!r})).fingerprint)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert {process.communicate()[0].decode().strip() for process in started} == {
        load(words(folder)).fingerprint
    }
    assert len(entries(cache)) == 1


def test_the_cache_folder_is_the_users_word_or_the_systems_custom(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("ARCHSEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/archsearch")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/archsearch")


def test_a_file_that_can_not_be_read_just_now_is_read_the_next_time(folder, cache, monkeypatch):
    def refused(path, **options):
        if path.name == "3.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, **options)

    opened = images.Image.open
    with monkeypatch.context() as patch:
        patch.setattr(images.Image, "open", refused)
        assert len(load(words(folder, image_size=[10, 12], color="grayscale")).unreadable) == 2
    assert entries(cache) == []
    assert load(words(folder, image_size=[10, 12], color="grayscale")).unreadable == ()


def test_what_a_killed_process_left_is_removed_after_a_day(folder, cache):
    cache.mkdir()
    for name, age in ((".old.part", 90_000), (".new.part", 100)):
        (cache / name).write_bytes(b"")
        os.utime(cache / name, (time.time() - age,) * 2)
    load(words(folder))
    assert [entry.name for entry in entries(cache)][:1] == [".new.part"]
    assert not (cache / ".old.part").exists()
