"""The audit on real photographs, untouched and with faults planted among them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from archsearch.data.audit import audit
from archsearch.data.findings import Kind
from archsearch.data.sources import load
from archsearch.space.data_words import Data

REAL = Path(__file__).parents[2] / "../shared/data"

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real images are not on this machine")

PATIENT = r"((?:NORMAL2-)?IM-\d+|person\d+)"


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSEARCH_CACHE", str(tmp_path / "cache"))


def audited(folder: Path, **words):
    data = Data.model_validate({"image_folder": str(folder), **words})
    return audit(load(data, folder.parent))


def found(audited, kind):
    return next(finding for finding in audited.findings if finding.kind == kind)


def named(finding) -> set[frozenset[str]]:
    return {frozenset(names) for names in finding.samples}


@pytest.mark.parametrize("name", ["pneumonia_96", "sign_digits"])
def test_no_pair_of_the_untouched_sets_is_accused(name):
    findings = audited(REAL / name).findings
    assert {finding.kind for finding in findings} <= {Kind.IMBALANCE, Kind.SHIFT}


def faults(folder: Path, seed: int) -> Iterator[tuple[str, str, str]]:
    """Plant exact copies, changed copies and a truncated file; gives kind, original and copy."""
    random = np.random.default_rng(seed)
    train = sorted((folder / "train").rglob("*.jp*g"))
    chosen = random.choice(len(train), 21, replace=False)
    for number, index in enumerate(chosen):
        original = train[index]
        copy = folder / "val" / original.parent.name / f"planted{number}.jpg"
        with Image.open(original) as image:
            if number < 10:
                shutil.copyfile(original, copy)
                kind = Kind.EXACT_LEAK
            elif number < 20:
                planted(image, number).save(copy, quality=int(random.integers(60, 86)))
                kind = Kind.NEAR_LEAK
            else:
                copy.write_bytes(original.read_bytes()[: original.stat().st_size // 2])
                kind = Kind.UNREADABLE
        yield kind, original.relative_to(folder).as_posix(), copy.relative_to(folder).as_posix()


def planted(image: Image.Image, number: int) -> Image.Image:
    """Encoded again only, resized to 80 % (back, or kept), or mirrored."""
    small = image.resize([round(0.8 * side) for side in image.size])
    return [image, small.resize(image.size), small, ImageOps.mirror(image)][number % 4]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ["pneumonia_96", "sign_digits"])
def test_every_planted_fault_is_named_and_nothing_else(name, seed, tmp_path):
    folder = tmp_path / name
    shutil.copytree(REAL / name, folder)
    made = list(faults(folder, seed))
    result = audited(folder)
    for kind in (Kind.EXACT_LEAK, Kind.NEAR_LEAK):
        assert named(found(result, kind)) == {
            frozenset(pair) for made_kind, *pair in made if made_kind == kind
        }
    broken = next(copy for kind, _, copy in made if kind == Kind.UNREADABLE)
    assert f"1 file could not be read and was left out: {broken}" in found(result, Kind.UNREADABLE).sentence
    assert [finding.kind for finding in result.errors] == [Kind.EXACT_LEAK]
    assert {finding.kind for finding in result.findings} <= {
        Kind.EXACT_LEAK, Kind.NEAR_LEAK, Kind.UNREADABLE, Kind.IMBALANCE, Kind.SHIFT,
    }  # fmt: skip


def test_a_patient_in_two_splits_is_named(tmp_path):
    folder = tmp_path / "pneumonia_96"
    shutil.copytree(REAL / "pneumonia_96", folder)
    of_one = sorted((folder / "train" / "PNEUMONIA").glob("person1609_*"))
    assert len(of_one) > 1
    shutil.move(of_one[0], folder / "val" / "PNEUMONIA" / of_one[0].name)
    result = audited(folder, groups={"pattern": PATIENT, "across": ["train", "val"]})
    crossing = found(result, Kind.GROUP_LEAK)
    assert result.errors == (crossing,)
    assert "person1609" in crossing.sentence
    names = {f"train/PNEUMONIA/{file.name}" for file in of_one[1:]} | {f"val/PNEUMONIA/{of_one[0].name}"}
    assert set(crossing.samples[0]) == names
