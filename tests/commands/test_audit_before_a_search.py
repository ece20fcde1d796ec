"""The data are audited before a search: errors are refused with nothing written, warnings go with it."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_command import IN_PROCESS, UNTRACKED, invoke, run

DATA = Path(__file__).parents[2] / "../shared/data"
SPACE = """\
name: photos
data: {image_folder: photos, LEAKS}
architectures: {small: dense 8}
training: {epochs: 5}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with images of two classes, fewer for validation than can be judged by."""
    noise = np.random.default_rng(0)
    for part, count in (("train", 60), ("val", 20), ("test", 10)):
        for kind in ("cat", "dog"):
            place = tmp_path / "photos" / part / kind
            place.mkdir(parents=True)
            for number in range(count):
                pixels = noise.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def search(leaks: str):
    Path("space.yaml").write_text(SPACE.replace("LEAKS", leaks))
    return invoke("run", "space.yaml", "--json", *IN_PROCESS, *UNTRACKED)


@pytest.mark.slow
def test_a_leak_is_refused_before_anything_is_trained_or_written(folder: Path) -> None:
    shutil.copy(folder / "photos/train/cat/3.png", folder / "photos/val/cat/leaked.png")
    done = search("allow_leaks: false")
    assert done.exit_code == 2
    assert "space.yaml:2:8: data: " in done.stderr
    assert "train/cat/3.png = val/cat/leaked.png" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in folder.iterdir()} == {"photos", "space.yaml", "cache"}


@pytest.mark.slow
def test_warnings_are_said_once_and_repeated_in_the_report(folder: Path) -> None:
    shutil.copy(folder / "photos/train/cat/3.png", folder / "photos/val/cat/leaked.png")
    (folder / "photos/train/dog/cut.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    done = search("allow_leaks: true")
    assert done.exit_code == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("archsearch: data: ")]
    assert sum("leaked.png" in warning for warning in warnings) == 1
    assert sum("cut.png" in warning for warning in warnings) == 1
    assert any("too small to judge by" in warning for warning in warnings)
    page = Path(folder / json.loads(done.stdout.splitlines()[-1])["report"]).read_text()
    assert "What to know about the data" in page
    assert "leaked.png" in page
    again = search("allow_leaks: true")
    assert "archsearch: data: " not in again.stderr


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here")
def test_from_a_folder_of_images_to_the_first_judged_training_takes_minutes(tmp_path: Path) -> None:
    started = time.monotonic()
    assert run("init", (DATA / "pneumonia_96").resolve(), cwd=tmp_path).returncode == 0
    done = run("run", "space.yaml", "--trials", "1", "--json", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 180
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["trials"]["completed"] == 1
    assert "[1/1] trial 0" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here")
@pytest.mark.parametrize("name", ["pneumonia_96", "sign_digits"])
def test_both_families_are_searched_on_real_images(name: str, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((DATA / name).rglob("*.jp*g"))):
        if number % 5 == 0:
            copy = tmp_path / name / path.relative_to(DATA / name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    space = {
        "data": {"image_folder": name, "image_size": [24, 24]},
        "families": {
            "dense": {"depth": [1, 2], "narrowest": 16, "widest": [32, 64]},
            "cnn": {"blocks": [1, 2], "filters": {"first": [4, 8]}, "stride": 2, "pooling": ["max", "sum"]},
        },
        "training": {"epochs": 2, "batch_size": 64},
    }
    (tmp_path / "both.yaml").write_text(json.dumps(space))
    done = run(
        "run", "both.yaml", "--trials", "2", "--json", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["trials"]["completed"] == 2
