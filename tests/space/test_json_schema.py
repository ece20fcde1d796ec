import re
from pathlib import Path

import jsonschema
import pytest

from archsearch.commands.starter import Folder, starter
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace
from archsearch.space.document import read_document
from archsearch.space.json_schema import DIALECT, json_schema

SCHEMA = json_schema()
CHECKER = jsonschema.Draft202012Validator(SCHEMA)
PAGE = Path(__file__).parents[2] / "docs" / "space-language.md"
FRAGMENTS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def faults(text):
    value = read_document("space.yaml", text).value
    return [".".join(map(str, error.absolute_path)) for error in CHECKER.iter_errors(value)]


def described_words(part, path=()):
    for name, word in part.get("properties", {}).items():
        yield (*path, name), word
        yield from described_words(word, (*path, name))


def test_it_is_a_json_schema_of_the_draft_it_names():
    assert SCHEMA["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", sorted(bundled_spaces()))
def test_bundled_spaces_are_valid_by_it(name):
    assert faults(bundled_spaces()[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "folder",
    [
        None,
        Folder("images", {"": {"cat": 9, "dog": 90}}, ("cat", "dog"), (400, 300), is_grey=False, groups=None),
        Folder(
            "images",
            {"train": {"a": 9, "b": 9, "c": 90}, "test": {"a": 1, "b": 1, "c": 1}},
            ("a", "b", "c"),
            (28, 28),
            is_grey=True,
            groups=None,
        ),
    ],
    ids=["digits", "to split", "split"],
)
def test_starters_are_valid_by_it(folder):
    assert faults(starter("mine", "mine.yaml", folder)) == []


@pytest.mark.parametrize("text", FRAGMENTS)
def test_the_examples_of_the_documentation_are_valid_by_it(text):
    assert faults(text if "data:" in text else f"{text}\ndata: digits\n") == []


def test_every_word_has_a_description():
    parts = SCHEMA["$defs"]
    words = [*described_words(SCHEMA)]
    words += [word for name, part in parts.items() for word in described_words(part, (name,))]
    for path, word in words:
        part = parts[word["$ref"].rpartition("/")[2]] if "$ref" in word else {}
        assert word.get("description", part.get("description")), path
    assert len(words) > 60


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("families: {dense: {depth: 2, narrowest: 8}}", "families.dense"),
        ("families: {dense: {depth: 65, narrowest: 8, widest: 8}}", "families.dense.depth"),
        ("families: {dense: {depth: 2, narrowest: 8, widest: 8, droput: 0}}", "families.dense"),
        ("families: {own: {depth: 2}}", "families.own"),
        ("training: {epochs: x}", "training.epochs"),
        ("training: {early_stopping: [on]}", "training.early_stopping"),
        ("training: {augmentation: {flip: up}}", "training.augmentation.flip"),
        ("search: {sampler: tpee}", "search.sampler"),
        ("execution: {workers: two}", "execution.workers"),
        ("architectures: {a: 3}", "architectures.a"),
        ("nothing: 3", ""),
    ],
)
def test_faults_are_faults_by_it_too(text, path):
    assert path in faults(f"data: digits\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "architectures: {a: dense 32·64 dropout 0.2}",
        "architectures: {a: {dense: [8, [8, 0.5], {width: 8}], conv: [8, [8, 5], {filters: 8}]}}",
        "architectures: {a: mine units=3}\nfamilies: {mine: {hypermodel: 'm:M', arguments: {size: [1, 2]}}}",
        "training: {early_stopping: off, learning_rate: 1}\narchitectures: {a: dense 8}",
        "training: {early_stopping: [off, {patience: 3}]}\narchitectures: {a: dense 8}",
        "training: {early_stopping: {patience: {low: 3, high: 5}}}\narchitectures: {a: dense 8}",
        "families: {dense: {depth: 2, narrowest: 8, widest: 8, dropout: {rising: [0, 0.5]}}}",
        "data: {image_folder: images, groups: 'person[0-9]+'}\narchitectures: {a: dense 8}",
    ],
)
def test_every_form_of_a_word_is_valid_by_it(text):
    full = f"name: a\n{text}\n" if "data:" in text else f"name: a\ndata: digits\n{text}\n"
    SearchSpace.from_mapping(read_document("space.yaml", full).value)
    assert faults(full) == []
