"""`archsearch init`: a starter that fits the images, and is right as it stands."""

import json
import re
import string
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from real_command import run

from archsearch.cli import main
from archsearch.commands.name_groups import NameGroups
from archsearch.commands.starter import Folder, starter
from archsearch.space import SearchSpace

DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def init(*words: str) -> Result:
    return CliRunner().invoke(main, ["init", *words], prog_name="archsearch")


def images(place: str, names: list[str], mode: str = "RGB", size: tuple[int, int] = (16, 12)) -> None:
    Path(place).mkdir(parents=True)
    for number, name in enumerate(names):
        color = number % 256 if mode == "L" else (number % 256, 0, 99)
        Image.new(mode, size, color).save(Path(place) / name)


def counted(number: int) -> list[str]:
    return [f"IMG_{n}.png" for n in range(number)]


def here() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def space(path: str = "space.yaml") -> SearchSpace:
    return SearchSpace.from_yaml(Path(path))


def test_the_starter_fits_the_images_and_is_valid() -> None:
    images("photos/train/cat", counted(30), "L", (40, 20))
    images("photos/train/dog", counted(10), "L", (40, 20))
    images("photos/val/cat", counted(4), "L", (40, 20))
    images("photos/val/dog", counted(4), "L", (40, 20))
    images("photos/test/cat", counted(4), "L", (40, 20))
    images("photos/test/dog", counted(4), "L", (40, 20))
    result = init("photos")
    assert result.exit_code == 0, result.output
    made = space()
    assert made.name == "photos"
    assert made.data.image_folder == "photos"
    assert made.data.image_size == (20, 40)
    assert made.data.color == "grayscale"
    assert made.data.groups is None
    assert made.data.class_weights == "balanced"
    assert "cat 30, dog 10" in result.stdout
    assert "archsearch check --data space.yaml" in result.stdout
    assert "archsearch run space.yaml" in result.stdout
    assert CliRunner().invoke(main, ["check", "space.yaml"]).exit_code == 0


def test_images_without_splits_are_to_be_split_and_equal_classes_need_no_weights() -> None:
    images("photos/cat", counted(12))
    images("photos/dog", counted(12))
    result = init("photos")
    assert result.exit_code == 0, result.output
    assert (space().data.validation, space().data.test) == (0.2, 0.2)
    assert (space().data.color, space().data.class_weights) == ("rgb", None)
    assert "to be split   cat 12, dog 12" in result.stdout


def test_a_missing_test_set_is_taken_from_train_and_the_data_load() -> None:
    for place in ("photos/train/cat", "photos/train/dog", "photos/val/cat", "photos/val/dog"):
        images(place, [f"{place[-9:].replace('/', '')}{n}.png" for n in range(20)])
    assert init("photos").exit_code == 0
    assert "There is no test" in Path("space.yaml").read_text()
    assert space().data.model_fields_set >= {"test"}


def test_large_images_are_proposed_smaller_with_the_same_proportions() -> None:
    images("photos/a", counted(4), size=(1024, 512))
    images("photos/b", counted(4), size=(1024, 512))
    init("photos")
    assert space().data.image_size == (64, 128)
    assert "512×1024" in Path("space.yaml").read_text()


def test_groups_are_proposed_where_names_repeat_and_across_where_test_counts_anew() -> None:
    for split in ("train", "val", "test"):
        start = 100 if split == "val" else 0
        for kind in ("a", "b"):
            offset = start + (50 if kind == "b" else 0)
            images(f"x/{split}/{kind}", [f"p{offset + n}_{k}.png" for n in range(10) for k in "12"])
    result = init("x")
    groups = space().data.groups
    assert groups is not None
    assert (groups.pattern, groups.across) == (r"(p\d+)", ("train", "val"))
    assert "20 names in both train and test" in result.stdout


def test_the_schema_lies_beside_the_starter_whose_first_line_names_it() -> None:
    assert init("--output", "spaces/first.yaml").exit_code == 0
    first = Path("spaces/first.yaml").read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named
    schema = json.loads((Path("spaces") / named[1]).read_text())
    assert "families" in schema["properties"]


def test_paths_in_the_starter_start_from_its_own_folder() -> None:
    images("photos/cat", counted(4))
    images("photos/dog", counted(4))
    assert init("photos", "--output", "spaces/photos.yaml").exit_code == 0
    assert space("spaces/photos.yaml").data.image_folder == "../photos"
    assert CliRunner().invoke(main, ["check", "spaces/photos.yaml"]).exit_code == 0


def test_a_file_that_is_there_is_left_as_it_is() -> None:
    Path("space.yaml").write_text("mine")
    result = init()
    assert result.exit_code == 2
    assert "archsearch: space.yaml: exists already; choose another file with --output" in result.stderr
    assert Path("space.yaml").read_text() == "mine"
    assert here() == ["space.yaml"]


def test_without_a_folder_and_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    done = run("init", cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert space().data.source == "digits"


def test_init_loads_neither_keras_nor_mlflow(tmp_path: Path) -> None:
    images("photos/cat", counted(4))
    images("photos/dog", counted(4))
    done = run("init", "photos", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    loaded = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "PIL" in loaded
    assert not loaded & {"tensorflow", "keras", "mlflow", "sklearn", "optuna"}


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ([], "No such file or directory"),
        (["photos/only"], "one class only"),
        (["photos/train/cat", "photos/train/dog", "photos/test/cat"], "test has no folder dog"),
        (["photos/val/a", "photos/val/b"], "no train folder"),
    ],
)
def test_a_folder_that_is_not_understood_is_refused_and_nothing_is_written(
    layout: list[str], message: str
) -> None:
    for place in layout:
        images(place, counted(3))
    before = here()
    result = init("photos")
    assert result.exit_code == 2
    assert re.match(r"archsearch: \S*photos: ", result.stderr)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert here() == before


def test_folders_without_images_are_refused_with_what_was_found() -> None:
    for kind in ("a", "b"):
        Path(f"photos/{kind}").mkdir(parents=True)
        Path(f"photos/{kind}/notes.txt").write_text("no image")
    result = init("photos")
    assert result.exit_code == 2
    assert "photos: the class folder a has no images" in result.stderr
    Path("notes").mkdir()
    Path("notes/a.txt").touch()
    assert "train/, val/ and test/ of class folders, or class folders" in init("notes").stderr


NAMES = st.text(st.sampled_from(string.printable + "äß·…'\"#:{}[],&*!|>%@`"), min_size=1, max_size=20)
PATTERN = NameGroups(r"(it's #\d+)", ("it's #1_a", "it's #1_b"), 9, {("train", "val"): 3})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    name=NAMES,
    path=NAMES,
    classes=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    parts=st.sampled_from([[""], ["train"], ["train", "val"], ["train", "val", "test"]]),
    size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    is_grey=st.booleans(),
    groups=st.sampled_from([None, PATTERN]),
)
def test_whatever_folders_and_classes_are_called_the_starter_is_a_valid_space(
    name: str,
    path: str,
    classes: list[str],
    parts: list[str],
    size: tuple[int, int],
    is_grey: bool,
    groups: NameGroups | None,
) -> None:
    counts = {part: {kind: 3 + n * 40 for n, kind in enumerate(classes)} for part in parts}
    folder = Folder(path, counts, tuple(classes), size, is_grey, groups)
    Path("made.yaml").write_text(starter(name, "made.yaml", folder), encoding="utf-8")
    made = space("made.yaml")
    assert made.data.image_folder == path
    assert made.data.groups is None or made.data.groups.pattern == PATTERN.pattern
    assert max(made.data.image_size or ()) <= max(*size, 1)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here")
@pytest.mark.parametrize("folder", ["pneumonia_96", "sign_digits"])
def test_a_starter_for_real_images_is_valid(folder: str) -> None:
    result = init(str(DATA / folder))
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(main, ["check", "space.yaml"]).exit_code == 0
    assert (space().data.groups is not None) == (folder == "pneumonia_96")


def test_files_that_are_no_images_archsearch_reads_are_counted_by_their_endings() -> None:
    images("photos/cat", counted(4))
    images("photos/dog", counted(4))
    assert "ignored" not in init("photos").stdout
    for name in ("cat/a.tiff", "cat/b.TIFF", "dog/c.webp", "dog/notes", "dog/.hidden"):
        Path("photos", name).touch()
    result = init("photos", "--output", "second.yaml")
    assert (
        "ignored       4 files (2 .tiff, 1 .webp, 1 without ending): only JPEG, PNG, BMP, GIF are read"
        in (result.stdout)
    )
