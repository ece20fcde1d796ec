"""`archsearch check`: what a space spans, how long it takes, and whether its data can be trusted."""

import re
import resource
import shutil
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from real_command import Searched, invoke, run

DATA = Path(__file__).parents[2] / "../shared/data"
SPACE = "families: {dense: {depth: [1, 2], narrowest: 8, widest: [16, 32]}}\n"


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def check(text: str, *options: str) -> Result:
    Path("space.yaml").write_text(text)
    return invoke("check", *options, "space.yaml")


def value(output: str, name: str) -> str:
    found = re.search(rf"^{name} +(.*)$", output, re.MULTILINE)
    assert found, output
    return found[1]


def images(*places: str, count: int = 12, size: int = 8) -> None:
    """Folders of different noise images."""
    for place in places:
        noise = np.random.default_rng(crc32(place.encode()))
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = noise.integers(0, 256, (size, size), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{folder.parent.name}-{folder.name}-{number}.png")


def splits(**counts: int) -> None:
    for part, count in counts.items():
        images(f"photos/{part}/cat", f"photos/{part}/dog", count=count)


FOLDER = "data: {image_folder: photos}\n" + SPACE


def test_the_size_of_a_space_and_its_smallest_and_largest_are_shown() -> None:
    result = check("data: digits\n" + SPACE.replace("depth", "ordering: falling, depth"))
    assert result.exit_code == 0
    assert value(result.stdout, "size") == "4 architectures, 1 recipe"
    assert value(result.stdout, "smallest") == "1,210 parameters: dense 16"
    assert value(result.stdout, "largest") == "2,434 parameters: dense 32·8"
    assert value(result.stdout, "samples") == "200 drawn at random, 4 different"
    assert "KiB: dense" in value(result.stdout, "most memory")


def test_how_many_samples_break_a_constraint_is_shown() -> None:
    result = check("data: digits\nconstraints: {parameters: 1_500}\n" + SPACE)
    broken = re.search(r"; (\d+) of them are too large", value(result.stdout, "samples"))
    assert broken
    assert 0 < int(broken[1]) < 200


def test_the_largest_is_the_largest_that_keeps_the_constraint() -> None:
    result = check(
        "data: digits\nconstraints: {parameters: 1_500}\n"
        + SPACE.replace("depth", "ordering: falling, depth")
    )
    assert value(result.stdout, "smallest") == "1,210 parameters: dense 16"
    assert value(result.stdout, "largest") == "1,266 parameters, within the constraint: dense 16·8"
    assert value(result.stdout, "most memory").endswith(", within the constraint: dense 16·8")


def test_a_space_with_a_range_of_numbers_is_continuous() -> None:
    text = "data: digits\ntraining: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}\n" + SPACE
    assert value(check(text).stdout, "size").endswith("recipes continuous")


def test_no_architecture_is_cut_however_narrow_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    result = check("data: digits\nfamilies: {dense: {depth: 9, narrowest: 8, widest: 512, dropout: 0.5}}\n")
    assert "…" not in result.stdout


def test_without_a_search_of_the_space_there_is_no_draft_of_its_time() -> None:
    assert not re.search("^time ", check("data: digits\n" + SPACE).stdout, re.MULTILINE)
    assert not Path("mlruns").exists()


@pytest.mark.slow
def test_once_a_space_has_been_searched_the_time_of_a_search_is_drafted(
    searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(searched.folder)
    done = invoke("check", "tiny.yaml")
    assert done.exit_code == 0, done.stderr
    sentence = value(done.stdout, "time")
    assert sentence.startswith("4 trials, about ")
    assert f"each of 4 trials of {searched.result['search']} took" in sentence
    elsewhere = invoke("check", "tiny.yaml", "--store", "elsewhere")
    assert not re.search("^time ", elsewhere.stdout, re.MULTILINE)


HYPERMODEL = """\
import keras_tuner
import keras

class Mlp(keras_tuner.HyperModel):
    def build(self, hp):
        layers = [keras.layers.Flatten(), keras.layers.Dense(hp.Choice("units", [8, 16]), "relu")]
        model = keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model
"""


@pytest.mark.slow
def test_what_a_hypermodel_declares_is_shown_and_one_that_is_not_there_is_refused() -> None:
    Path("mine.py").write_text(HYPERMODEL)
    space = "data: digits\nfamilies: {own: {hypermodel: 'mine:NAME'}}\n"
    done = check(space.replace("NAME", "Mlp"))
    assert done.exit_code == 0, done.stderr
    assert value(done.stdout, "own") == "mine:Mlp: units 8, 16"
    assert "by default 610 parameters: own units=8" in done.stdout
    assert value(done.stdout, "size") == "architectures: HyperModels make them, not counted; 1 recipe"
    refused = check(space.replace("NAME", "Mpl"))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("space.yaml:2:12: families.own: ")
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


def test_check_is_quick() -> None:
    best = min(_seconds() for _ in range(3))
    assert best < 2  # 0.6 s on a quiet machine


def _seconds() -> float:
    """Of the processor, so that others may keep it busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("check", "digits", cwd=Path())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_sound_data_are_counted_and_no_fault_is_found() -> None:
    splits(train=300, val=150, test=20)
    result = check(FOLDER, "--data")
    assert result.exit_code == 0, result.output
    assert re.search(r"^all +600 +300 +40$", result.stdout, re.MULTILINE)
    assert "300 validation samples: an accuracy of 0.80" in result.stdout
    assert "has an accuracy of 0.500 on the validation set" in " ".join(result.stdout.split())
    assert result.stdout.endswith("The audit found no fault.\n")


def test_without_the_option_no_image_is_read() -> None:
    splits(train=12, val=12)
    Path("photos/train/cat/train-cat-3.png").write_bytes(b"no image")
    assert "could not be read" not in check(FOLDER).output


def test_a_leak_is_an_error_unless_the_space_allows_it() -> None:
    splits(train=20, val=20, test=20)
    shutil.copy("photos/train/cat/train-cat-0.png", "photos/val/cat/copy.png")
    result = check(FOLDER, "--data")
    assert result.exit_code == 2
    assert "train/cat/train-cat-0.png = val/cat/copy.png" in result.stdout.replace("\n", " ")
    said = " ".join(result.stdout.split())
    assert "error: 1 pair of identical images across splits" in said
    assert "Remove the copies from one side." in said
    assert result.stderr == (
        "space.yaml:1:8: data: the audit has 1 error, shown above: mend the data, or write "
        "`allow_leaks: true` under `data` to search all the same\n"
    )
    allowed = check(FOLDER.replace("photos}", "photos, allow_leaks: true}"), "--data")
    assert allowed.exit_code == 0
    assert "warning: 1 pair of identical images across splits" in allowed.stdout


def test_a_group_on_two_sides_of_a_split_is_an_error() -> None:
    splits(train=20, val=20, test=20)
    Path("photos/train/cat/train-cat-1.png").rename("photos/train/cat/p7_a.png")
    Path("photos/val/cat/val-cat-2.png").rename("photos/val/cat/p7_b.png")
    groups = r"data: {image_folder: photos, groups: '(p\d+)_', allow_leaks: ALLOW}" + "\n" + SPACE
    result = check(groups.replace("ALLOW", "false"), "--data")
    assert result.exit_code == 2
    assert "p7 (1 in train, 1 in val)" in " ".join(result.stdout.split())
    assert check(groups.replace("ALLOW", "true"), "--data").exit_code == 0


def test_files_that_cannot_be_read_are_named_and_left_out() -> None:
    splits(train=20, val=20, test=20)
    good = Path("photos/train/cat/train-cat-0.png").read_bytes()
    Path("photos/train/cat/cut.png").write_bytes(good[: len(good) // 2])
    result = check(FOLDER, "--data")
    assert result.exit_code == 0
    assert "1 file could not be read" in result.stdout
    assert "train/cat/cut.png" in result.stdout


def test_images_of_mixed_sizes_and_modes_are_converted_and_said_once() -> None:
    splits(train=20, val=20, test=20)
    Image.new("RGB", (30, 20), "red").save("photos/train/cat/large.png")
    result = check("data: {image_folder: photos, color: grayscale, image_size: [8, 8]}\n" + SPACE, "--data")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert "1 image" in said
    assert "warning: 1 image" not in said


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ([], "photos"),
        (["photos/only"], "one class only, only"),
        (["photos/train/cat", "photos/train/dog", "photos/val/cat"], "val has no folder dog"),
        (["photos/val/cat", "photos/val/dog"], "no train folder"),
        (["photos/train/cat", "photos/train/dog", "photos/cats"], "neither a split nor a class"),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_refused_with_its_place(
    layout: list[str], message: str
) -> None:
    images(*layout, count=4)
    for options in ((), ("--data",)):
        result = check(FOLDER, *options)
        assert result.exit_code == 2
        assert result.stderr.startswith("space.yaml:1:8: data: image_folder: ")
        assert message in result.stderr
        assert "Traceback" not in result.output


def test_an_empty_class_is_refused() -> None:
    splits(train=4, val=4)
    shutil.rmtree("photos/val/dog")
    Path("photos/val/dog").mkdir()
    result = check(FOLDER)
    assert result.exit_code == 2
    assert "val/dog has no images" in result.stderr


def test_a_missing_test_set_is_no_fault_where_the_space_says_so() -> None:
    splits(train=20, val=20)
    result = check("data: {image_folder: photos, test: none}\n" + SPACE, "--data")
    assert result.exit_code == 0, result.output
    assert re.search(r"^all +40 +40 +0$", result.stdout, re.MULTILINE)


def test_a_pattern_of_groups_that_matches_nothing_is_refused() -> None:
    splits(train=4, val=4)
    result = check(r"data: {image_folder: photos, groups: '(patient\d+)'}" + "\n" + SPACE, "--data")
    assert result.exit_code == 2
    assert "matches none of 16 file names" in result.stderr
    assert result.stderr.startswith("space.yaml:1:30: data: groups: ")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((9, 2, 2)), "y": np.array([{"a": 1}] * 9, dtype=object)}, "pickle"),
        ({"x": np.zeros((9, 2, 2)), "y": np.zeros(9, dtype=int)}, "class"),
        ({"x": np.zeros((9, 2, 2)), "y": np.arange(8)}, "9"),
        ({"x": np.zeros((9, 2, 2)), "y": np.arange(9) % 2 - 1}, "the label -1 is out of range"),
        ({"x": np.zeros((9, 2, 2)), "y": np.arange(9) % 2 * 7}, "out of range"),
        ({"z": np.zeros(3)}, "x"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused(arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez("arrays.npz", **arrays)
    result = check("data: {npz: arrays.npz}\n" + SPACE, "--data")
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here")
def test_real_images_are_audited_in_words(tmp_path: Path) -> None:
    pattern = r"(IM-\d+|NORMAL2-IM-\d+|person\d+)"
    data = f"image_folder: {(DATA / 'pneumonia_96').resolve()}, groups: {{pattern: '{pattern}'"
    Path("space.yaml").write_text(f"data: {{{data}, across: [train, val]}}}}\n{SPACE}")
    done = run("check", "--data", "space.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^all +3582 +587 +491$", done.stdout, re.MULTILINE)
    Path("space.yaml").write_text(f"data: {{{data}}}}}\n{SPACE}")
    crossing = run("check", "--data", "space.yaml", cwd=tmp_path)
    assert crossing.returncode == 2
    assert "135 groups are in more than one split" in " ".join(crossing.stdout.split())


def test_how_far_a_small_validation_set_can_be_trusted_is_said_once() -> None:
    splits(train=20, val=20)
    result = check("data: {image_folder: photos, test: none}\n" + SPACE, "--data")
    said = " ".join(result.stdout.split())
    assert "The validation set is too small to judge by" in said
    assert said.count("40 validation samples: an accuracy of 0.80") == 1
