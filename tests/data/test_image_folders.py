import warnings

import numpy as np
import pytest
from image_folders import class_folders, real, split_folders, write_image
from PIL import Image

from archsearch.data import loaded as loaded_module
from archsearch.data.shapes import data_shape
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space.data_words import Data

GIVEN = {"train": 8, "val": 4, "test": 3}


def words(folder, **more):
    return Data.model_validate({"image_folder": str(folder), **more})


def everything(dataset):
    return dataset.x.take(np.arange(len(dataset.x)))


def test_class_folders_are_split_into_the_shares_asked_for(tmp_path):
    data = words(class_folders(tmp_path / "d", count=20), validation=0.25, test=0.1)
    dataset = load(data)
    assert [len(part) for part in dataset.split[:3]] == [26, 10, 4]
    assert dataset.shape == data_shape(data)
    assert dataset.shape.input_shape == (10, 12, 1)
    assert dataset.shape.classes == ("cat", "dog")
    assert dataset.names[0] == "cat/0.png"
    assert everything(dataset).dtype == np.float32


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("training", "valid", "testing"), ("Train", "Validation", "TEST")],
)
def test_given_splits_are_recognised_by_their_usual_names(tmp_path, names):
    folder = split_folders(tmp_path / "d", dict(zip(names, GIVEN.values(), strict=True)))
    dataset = load(words(folder))
    assert [len(part) for part in dataset.split[:3]] == [16, 8, 6]
    assert {dataset.names[index].split("/")[0] for index in dataset.split.val} == {names[1]}


def test_validation_is_split_off_train_where_only_a_test_set_is_given(tmp_path):
    dataset = load(words(split_folders(tmp_path / "d", {"train": 20, "test": 5}), validation=0.3))
    assert [len(part) for part in dataset.split[:3]] == [28, 12, 10]


def test_a_missing_test_set_is_refused_with_the_words_that_help(tmp_path):
    folder = split_folders(tmp_path / "d", {"train": 20, "val": 5})
    with pytest.raises(
        DataError, match=r"gives train and val, but no test set; write test: 0\.2 .* test: none"
    ):
        load(words(folder))
    split_off = load(words(folder, test=0.2))
    assert [len(part) for part in split_off.split[:3]] == [32, 10, 8]
    without = load(words(folder, test="none"))
    assert [len(part) for part in without.split[:3]] == [40, 10, 0]


def test_a_given_test_set_is_left_alone_where_the_space_goes_without(tmp_path):
    dataset = load(words(split_folders(tmp_path / "d", GIVEN), test="none"))
    assert len(dataset.split.test) == 0
    assert not [name for name in dataset.names if name.startswith("test")]


def test_shares_that_a_given_split_makes_idle_are_said(tmp_path):
    folder = split_folders(tmp_path / "d", GIVEN)
    assert load(words(folder)).notes == ()
    assert load(words(folder, test=0.3)).notes == (
        "test: 0.3 is not used: the data bring their own test split",
    )


def test_images_lie_in_the_array_as_pillow_decodes_them(tmp_path):
    dataset = load(words(class_folders(tmp_path / "d", mode="RGB")))
    for index in (0, 7, 19):
        with Image.open(tmp_path / "d" / dataset.names[index]) as image:
            assert np.array_equal(dataset.x.stored[index], np.asarray(image))
    assert everything(dataset).max() <= 1


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "JPG", "png", "bmp", "gif"])
def test_every_documented_format_is_read(tmp_path, ending):
    assert len(load(words(class_folders(tmp_path / "d", ending=ending), color="grayscale")).x) == 20


def test_the_most_common_size_is_taken_and_the_others_are_resized_and_said_once(tmp_path):
    folder = class_folders(tmp_path / "d")
    write_image(folder / "cat" / "large.png", 1, size=(40, 30))
    write_image(folder / "dog" / "colored.png", 2, mode="RGB")
    dataset = load(words(folder, color="grayscale"))
    assert dataset.shape.input_shape == (10, 12, 1)
    assert dataset.notes == (
        "1 of 22 images were resized to 10×12 (height × width), bilinear with antialiasing",
        "1 of 22 images of other color modes were converted to grayscale",
    )


def test_the_words_decide_size_and_color_without_looking_at_an_image(tmp_path):
    folder = tmp_path / "d"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.png").write_bytes(b"nothing")
    assert data_shape(words(folder, image_size=[20, 30], color="rgb")).input_shape == (20, 30, 3)


def test_one_color_image_makes_the_data_rgb(tmp_path):
    folder = class_folders(tmp_path / "d")
    write_image(folder / "dog" / "colored.png", 2, mode="RGB")
    dataset = load(words(folder))
    assert dataset.shape.input_shape == (10, 12, 3)
    assert dataset.notes == ("20 of 21 images of other color modes were converted to rgb",)


def test_transparent_palette_and_deep_images_are_converted(tmp_path):
    folder = class_folders(tmp_path / "d")
    write_image(folder / "cat" / "alpha.png", 2, mode="RGBA")
    write_image(folder / "cat" / "palette.png", 2, mode="P")
    deep = np.full((10, 12), 256 * 200, np.uint16)
    Image.fromarray(deep).save(folder / "dog" / "deep.png")
    dataset = load(words(folder, color="grayscale"))
    assert not dataset.unreadable
    index = list(dataset.names).index("dog/deep.png")
    assert (dataset.x.stored[index] == 200).all()


def test_images_are_turned_as_their_camera_says(tmp_path):
    folder = class_folders(tmp_path / "d", count=4)
    tall = Image.fromarray(np.array([[10] * 10] * 6 + [[200] * 10] * 6, np.uint8))  # 10 wide, 12 high
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: 12 wide, 10 high
    tall.save(folder / "cat" / "turned.png", exif=exif)
    dataset = load(words(folder))
    turned = dataset.x.stored[list(dataset.names).index("cat/turned.png")][..., 0]
    assert dataset.notes == ()
    assert (turned[:, :6] == 200).all()
    assert (turned[:, 6:] == 10).all()


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    folder = class_folders(tmp_path / "d", count=4)
    frames = [Image.new("L", (12, 10), shade) for shade in (40, 90)]
    frames[0].save(folder / "cat" / "moving.gif", save_all=True, append_images=frames[1:])
    dataset = load(words(folder, color="grayscale"))
    assert (dataset.x.stored[list(dataset.names).index("cat/moving.gif")] == 40).all()


def test_broken_files_are_left_out_and_named(tmp_path):
    folder = class_folders(tmp_path / "d", ending="jpg", size=(60, 50))
    whole = (folder / "cat" / "3.jpg").read_bytes()
    (folder / "cat" / "3.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "dog" / "5.jpg").write_bytes(b"no image")
    (folder / "dog" / "6.jpg").write_bytes(b"")
    for _ in range(2):  # decoded, then from the cache
        dataset = load(words(folder))
        assert [text.split(":")[0] for text in dataset.unreadable] == ["cat/3.jpg", "dog/5.jpg", "dog/6.jpg"]
        assert "truncated" in dataset.unreadable[0]
        assert len(dataset.x) == len(dataset.y) == len(dataset.names) == 17
        assert dataset.names[3] == "cat/4.jpg"


def test_a_class_of_broken_files_only_is_refused_by_name(tmp_path):
    folder = split_folders(tmp_path / "d", GIVEN)
    for path in (folder / "val" / "dog").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        DataError,
        match=r"the val split has no readable sample of dog.* \(4 files of it could not be read, such as val",
    ):
        load(words(folder))
    for path in (folder := class_folders(tmp_path / "e") / "dog").iterdir():
        path.write_bytes(b"")
    with pytest.raises(
        DataError,
        match=r"the class dog has 0 samples, .* \(10 files of it could not be read, such as dog/0.png",
    ):
        load(words(folder.parent))


def test_other_files_are_ignored_and_said_once_hidden_ones_in_silence(tmp_path):
    folder = class_folders(tmp_path / "d")
    (folder / "cat" / "Thumbs.db").write_text("")
    (folder / "README.md").write_text("")
    (folder / ".DS_Store").write_text("")
    (folder / "dog" / "._1.png").write_text("")
    (folder / "__MACOSX").mkdir()
    dataset = load(words(folder))
    assert dataset.notes == ("2 files that are no images of a class were ignored (README.md, cat/Thumbs.db)",)
    assert dataset.unreadable == ()


def empty_class(root):
    class_folders(root)
    (root / "bird").mkdir()


def missing_class(root):
    split_folders(root, GIVEN)
    for path in (root / "test" / "dog").iterdir():
        path.unlink()
    (root / "test" / "dog").rmdir()


def loose_images(root):
    write_image(root / "a.png", 1)


def wrapped(root):
    split_folders(root / "inner", GIVEN)


def images_in_train(root):
    write_image(root / "train" / "a.png", 1)


def stranger(root):
    split_folders(root, GIVEN)
    (root / "extra").mkdir()


def inside_out(root):
    for kind in ("cat", "dog"):
        for split in ("train", "test"):
            (root / kind / split).mkdir(parents=True)
            write_image(root / kind / split / "0.png", 1)


def two_vals(root):
    split_folders(root, {**GIVEN, "validation": 2})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "d: No such file or directory"),
        (lambda root: root.mkdir(), "it holds 0 files and no folders; write train/, val/ and test/"),
        (loose_images, "it holds 1 files and no folders; write train/"),
        (images_in_train, "train holds 1 files and no folders"),
        (lambda root: class_folders(root, ("cat",)), "one class only, cat; there must be at least two"),
        (wrapped, "one class only, inner; did you mean image_folder: .*d/inner"),
        (empty_class, r"the class folder bird has no images \(JPEG, PNG, BMP, GIF\)"),
        (missing_class, "test has no folder dog; every split needs the same class folders"),
        (stranger, "extra beside train, val, test: neither a split nor a class"),
        (two_vals, "two folders for one split"),
        (
            inside_out,
            r"cat holds folders named like splits \(test, train\): write train/cat for cat/train, and so on",
        ),
        (lambda root: split_folders(root, {"val": 2, "test": 2}), "no train folder beside test, val"),
        (lambda root: class_folders(root, count=2), "the class cat has 2 samples, and 3 parts need one each"),
    ],
)
def test_a_folder_laid_out_otherwise_is_refused_with_what_was_found(tmp_path, make, message):
    make(tmp_path / "d")
    with pytest.raises(DataError, match=message):
        load(words(tmp_path / "d"))


def test_paths_are_looked_up_from_the_folder_of_the_space(tmp_path):
    class_folders(tmp_path / "d")
    assert len(load(words("d"), tmp_path).x) == 20
    with pytest.raises(DataError, match="No such file"):
        data_shape(words("d"), tmp_path / "elsewhere")


def patients(root, parts=(("", 12),)):
    """Three images of each patient."""
    for part, count in parts:
        for label, name in enumerate(("NORMAL", "ILL")):
            for number in range(3 * count):
                path = root / part / name / f"person{100 * label + number // 3}_{number}.png"
                write_image(path, 10_000 * label + number)
    return root


def test_images_of_one_patient_are_never_on_two_sides(tmp_path):
    dataset = load(words(patients(tmp_path / "d"), groups=r"(person\d+)_"))
    assert dataset.groups is not None
    assert dataset.groups[0] == "person100"
    sides = [set(dataset.groups[part]) for part in dataset.split[:3]]
    assert sum(map(len, sides)) == len(set().union(*sides))


def test_a_pattern_without_brackets_is_the_group(tmp_path):
    dataset = load(words(patients(tmp_path / "d"), groups=r"person\d+"))
    assert set(dataset.groups) == {f"person{n}" for n in (*range(12), *range(100, 112))}


def test_numbers_that_restart_in_a_split_are_other_groups(tmp_path):
    folder = patients(tmp_path / "d", (("train", 4), ("val", 2), ("test", 2)))
    groups = {"pattern": r"person\d+", "across": ["train", "val"]}
    dataset = load(words(folder, groups=groups))
    train, val, test = (set(dataset.groups[part]) for part in dataset.split[:3])
    assert val < train
    assert test == {"test:person0", "test:person1", "test:person100", "test:person101"}
    together = load(words(folder, groups=r"person\d+"))
    assert set(together.groups[together.split.test]) < set(together.groups[together.split.train])


def test_the_group_is_of_the_alternative_that_matched(tmp_path):
    folder = patients(tmp_path / "d")
    for path in sorted((folder / "NORMAL").iterdir()):
        path.rename(path.with_name(path.name.replace("person", "IM-")))
    dataset = load(words(folder, groups=r"(IM-\d+)|(person\d+)"))
    assert dataset.notes == ()
    assert set(dataset.groups) == {f"IM-{n}" for n in range(12)} | {f"person{n}" for n in range(100, 112)}


def test_across_may_name_a_test_set_that_the_space_goes_without(tmp_path):
    folder = patients(tmp_path / "d", (("train", 6), ("test", 2)))
    groups = {"pattern": r"person\d+", "across": ["train", "test"]}
    assert load(words(folder, groups=groups, test="none")).groups is not None
    groups["across"] = ["train", "val"]
    with pytest.raises(
        DataError, match=r"across: val of .*: the folder has train, test; leave out val, for what"
    ):
        load(words(folder, groups=groups))


def test_copies_of_an_image_are_on_one_side_and_make_their_patients_one(tmp_path, cache):
    folder = patients(tmp_path / "d")
    for label, name in enumerate(("NORMAL", "ILL")):
        for number in range(4):
            first, second = (100 * label + 2 * number + more for more in (0, 1))
            image = (folder / name / f"person{first}_{6 * number}.png").read_bytes()
            (folder / name / f"person{second}_copy.png").write_bytes(image)
    for _ in range(2):  # decoded, then from the cache
        dataset = load(words(folder, groups=r"person\d+"))
        parts = [set(dataset.groups[part]) for part in dataset.split[:3]]
        for label in (0, 100):
            for number in range(4):
                pair = {f"person{label + 2 * number}", f"person{label + 2 * number + 1}"}
                assert sum(bool(pair & part) for part in parts) == 1
    assert len(list(cache.iterdir())) == 1


def test_names_without_a_group_are_said(tmp_path):
    folder = patients(tmp_path / "d")
    write_image(folder / "ILL" / "anonymous.png", 5)
    dataset = load(words(folder, groups=r"person\d+"))
    assert dataset.notes == ("1 of 73 images have no group by their name: each is a group of its own",)
    assert dataset.groups[list(dataset.names).index("ILL/anonymous.png")] == ""


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            r"patient\d+",
            r"the pattern 'patient\\\\d\+' matches none of 72 file names, such as person100_0.png",
        ),
        ({"pattern": r"person\d+", "across": ["train", "val"]}, "across: train, val .* has no splits"),
        ("person1", "the class ILL has too few groups"),
    ],
)
def test_groups_that_say_nothing_about_the_files_are_refused(tmp_path, groups, message):
    with pytest.raises(DataError, match=message):
        load(words(patients(tmp_path / "d"), groups=groups))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [("balanced", {0: 24 / (2 * 18), 1: 24 / (2 * 6)}), ({"dog": 3}, {0: 1.0, 1: 3.0}), (None, None)],
)
def test_class_weights_are_of_the_training_set(tmp_path, weights, expected):
    class_folders(tmp_path / "d", ("cat",), count=30)
    class_folders(tmp_path / "d", ("dog",), count=10)
    assert load(words(tmp_path / "d", class_weights=weights)).class_weights == expected


def test_weights_of_unknown_classes_are_refused(tmp_path):
    data = words(class_folders(tmp_path / "d"), class_weights={"cow": 2})
    for reader in (load, data_shape):
        with pytest.raises(DataError, match="no class 'cow'; the classes are cat, dog"):
            reader(data)


def test_data_that_fill_the_memory_as_float32_are_streamed(tmp_path, monkeypatch):
    data = words(class_folders(tmp_path / "d"))
    size = 20 * 10 * 12 * 4
    monkeypatch.setattr(loaded_module, "memory", lambda: 8 * size)
    assert not load(data).x.is_streamed
    monkeypatch.setattr(loaded_module, "memory", lambda: 8 * size - 1)
    dataset = load(data)
    assert dataset.x.is_streamed
    assert isinstance(dataset.x.stored, np.memmap)


def test_names_that_are_no_text_are_still_shown(tmp_path):
    folder = class_folders(tmp_path / "d")
    (folder / "cat" / "0.png").rename(folder / "cat" / "\udcff.png")
    assert "cat/\ufffd.png" in load(words(folder)).names


def test_warnings_of_the_image_library_reach_nobody(tmp_path, monkeypatch):
    folder = class_folders(tmp_path / "d", size=(50, 50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load(words(folder)).x) == 20


def test_real_chest_x_rays_keep_their_splits_and_their_patients():
    pattern = r"((?:NORMAL2-)?IM-\d+|person\d+)"
    dataset = load(words(real("pneumonia_96"), groups={"pattern": pattern, "across": ["train", "val"]}))
    assert [len(part) for part in dataset.split[:3]] == [3582, 587, 491]
    assert dataset.shape.input_shape == (96, 96, 1)
    train, val, test = (set(dataset.groups[part]) for part in dataset.split[:3])
    assert not train & val
    assert not test & (train | val)
    assert dataset.unreadable == ()


def test_real_hand_signs_are_ten_classes_in_color():
    dataset = load(words(real("sign_digits")))
    assert [len(part) for part in dataset.split[:3]] == [1100, 233, 209]
    assert dataset.shape.input_shape == (100, 100, 3)
    assert dataset.shape.classes == tuple("0123456789")
