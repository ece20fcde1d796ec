"""Groups proposed from file names: found where names repeat, not where they only count."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.commands.name_groups import name_groups

DATA = Path(__file__).parents[2] / "../shared/data"


def in_one_class(*names: str) -> dict[tuple[str, str], list[str]]:
    return {("", "a"): list(names)}


def test_images_whose_names_begin_alike_are_proposed_as_a_group() -> None:
    names = [
        f"person{n}_{kind}_{n * 7 + k}.jpeg"
        for n in range(30)
        for k, kind in enumerate(("virus", "bacteria"))
    ]
    found = name_groups(in_one_class(*names))
    assert found is not None
    assert (found.pattern, found.groups, found.crossing) == (r"(person\d+)", 30, {})
    assert len({re.search(found.pattern, name)[1] for name in found.example}) == 1  # type: ignore[index]


def test_a_number_that_hardly_varies_is_part_of_the_text_before_the_one_that_does() -> None:
    names = [f"SERIES2-IM-{n:04}-{k:04}.png" for n in range(20) for k in range(3)]
    found = name_groups(in_one_class(*names))
    assert found is not None
    assert found.pattern == r"(SERIES2-IM-\d+)"


@pytest.mark.parametrize(
    "names",
    [
        [f"IMG_{n}.jpg" for n in range(1000, 1100)],  # every image has a number of its own
        [f"{n:08x}{n * 7919:08x}.png" for n in range(100)],  # hexadecimal names
        [f"photo-{n}-small.jpg" for n in range(100)],
        [
            f"2024{month:02}{day:02}_{n}.jpg" for month in range(1, 9) for day in (10, 11) for n in range(3)
        ],  # dates
        [f"film_{n}_{k}.png" for n in range(2) for k in range(40)],  # too few to be split by
        [f"{n}.png" for n in range(100)] * 2,  # the same names in two folders of one class
        [f"IMG_{n}.{ending}" for n in range(100) for ending in ("png", "png", "jpg")],
        [f"copy{n}.png" for n in range(7)],
        ["cat.jpg", "dog.jpg"],
        [],
    ],
)
def test_names_that_only_count_give_no_groups(names: list[str]) -> None:
    assert name_groups(in_one_class(*names)) is None


def test_a_number_whose_every_value_is_one_image_stays_out_of_the_pattern() -> None:
    names = [f"person{n}_{k}.png" for n in range(60) for k in range(2)]
    found = name_groups(in_one_class(*names, *(f"copy{n}.png" for n in range(7))))
    assert found is not None
    assert (found.pattern, found.groups) == (r"(person\d+)", 60)


def test_a_number_that_begins_the_name_may_be_a_group() -> None:
    found = name_groups(in_one_class(*(f"{n}_{k}.png" for n in range(20) for k in range(2))))
    assert found is not None
    assert found.pattern == r"(\d+)"


def test_numbering_that_restarts_in_each_folder_is_no_group_but_is_counted_as_crossing() -> None:
    shared = {
        (split, "a"): [f"p{n}_{k}.png" for n in range(10) for k in range(2)] for split in ("train", "test")
    }
    found = name_groups(shared)
    assert found is not None
    assert found.crossing == {("train", "test"): 10}
    single = {(split, "a"): [f"p{n}_x.png" for n in range(10)] for split in ("train", "test")}
    assert name_groups(single) is None


@given(st.lists(st.text(alphabet="ab.(+[$1234567890_-'# ", min_size=1, max_size=12), max_size=60))
def test_whatever_the_names_the_pattern_is_one_that_finds_a_group(names: list[str]) -> None:
    found = name_groups(in_one_class(*names))
    if found is not None:
        assert re.compile(found.pattern).groups == 1
        assert all(re.search(found.pattern, name) for name in found.example)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here")
def test_on_real_images_patients_are_found_and_camera_numbers_are_not() -> None:
    def names(folder: str) -> dict[tuple[str, str], list[str]]:
        places = [place for place in sorted((DATA / folder).glob("*/*")) if place.is_dir()]
        return {(p.parent.name, p.name): [file.name for file in p.iterdir()] for p in places}

    found = name_groups(names("pneumonia_96"))
    assert found is not None
    assert found.pattern == r"(IM-\d+|NORMAL2-IM-\d+|person\d+)"
    assert set(found.crossing) == {("test", "train")}  # person1 of test is somebody else
    assert name_groups(names("sign_digits")) is None
