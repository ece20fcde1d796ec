import pytest

from archsearch.errors import SpaceError
from archsearch.space import SearchSpace

HEAD = "data: digits\nfamilies: {dense: {depth: 2, narrowest: 32, widest: 64}}\n"
ORDERINGS = "'falling', 'rising', 'diamond', 'hourglass' or 'constant'"


def faults(tmp_path, text):
    """What is said of a file, each line without the file's path."""
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpaceError) as error:
        SearchSpace.from_yaml(path)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("traning: {}", "3:1: traning: unknown word; did you mean training?"),
        (
            "zzz: {}",
            "3:1: zzz: unknown word; known here: "
            "name, data, families, architectures, training, search, constraints, execution",
        ),
        ("search: {trails: 3}", "3:10: search.trails: unknown word; did you mean trials?"),
        ("search: {trials: 0}", "3:10: search.trials: must be at least 1, not 0"),
        ("search: {trials: true}", "3:10: search.trials: must be a whole number, not true"),
        ("search: {hours: 87601}", "3:10: search.hours: must be at most 87600.0, not 87601"),
        ("search: {trials: 2.5}", "3:10: search.trials: must be a whole number, not 2.5"),
        ("search: {trials: '3'}", "3:10: search.trials: must be a whole number, not '3'"),
        ("search: {seed: 2147483648}", "3:10: search.seed: must be below 2147483648, not 2147483648"),
        (
            "search: {sampler: tpee}",
            "3:10: search.sampler: must be 'tpe', 'random', 'grid', 'cma-es' or 'none', not 'tpee'; "
            "did you mean tpe?",
        ),
        ("search: []", "3:1: search: must be a mapping of words, not []"),
        ("search: null", "3:1: search: is empty; leave it out or give it words"),
        ("training:", "3:1: training: is empty; leave it out or give it words"),
        ("architectures: {a: }", "3:17: architectures.a: is empty; leave it out or give it words"),
        ("architectures: {a: 7}", "3:17: architectures.a: must be blocks or one line of text, not 7"),
        ("training: {epochs: }", "3:12: training.epochs: must be a whole number, not empty"),
        (
            "training: {early_stopping: no}",
            "3:12: training.early_stopping: must be off or {patience: 10}, not 'no'",
        ),
        (
            "training: {early_stopping: [off, 5]}",
            "3:34: training.early_stopping.1: must be off or {patience: 10}, not 5",
        ),
        ("training:\n  epochs: 1e3", "4:3: training.epochs: must be a whole number, not 1000.0"),
        ("training: {learning_rate: 0}", "3:12: training.learning_rate: must be above 0, not 0"),
        ("training: {learning_rate: .NaN}", "3:12: training.learning_rate: must be a finite number, not nan"),
        ("training: {learning_rate: no}", "3:12: training.learning_rate: must be a number, not 'no'"),
        ("training: {batch_size: []}", "3:12: training.batch_size: the list is empty"),
        ("training: {batch_size: [8,\n  0]}", "4:3: training.batch_size.1: must be at least 1, not 0"),
        (
            "training: {batch_size: {low: 9, high: 2}}",
            "3:12: training.batch_size: low (9) is above high (2)",
        ),
        (
            "training: {learning_rate: {low: 1e-3, high: 1, log: yes}}",
            "3:48: training.learning_rate.log: must be true or false, not 'yes'",
        ),
        (
            "training: {batch_size: {low: 1}}",
            "3:12: training.batch_size.high: this word is missing",
        ),
        (
            "training: {optimizer: adm}",
            "3:12: training.optimizer: must be 'adam', 'adamw', 'sgd' or 'rmsprop', not 'adm'; "
            "did you mean adam?",
        ),
        (
            "training: {early_stopping: 5}",
            "3:12: training.early_stopping: must be off or {patience: 10}, not 5",
        ),
        (
            "training: {early_stopping: {patience: 0}}",
            "3:29: training.early_stopping.patience: must be at least 1, not 0",
        ),
        ("execution: {workers: 257}", "3:13: execution.workers: must be at most 256, not 257"),
        (
            "execution: {workers: many}",
            "3:13: execution.workers: must be auto or a whole number, not 'many'",
        ),
        ("execution: {memory: 1.0e+300}", "3:13: execution.memory: must be at most 1000000.0, not 1e+300"),
        (
            "execution: {gpu_memory: 1.0e+300}",
            "3:13: execution.gpu_memory: must be at most 1000000.0, not 1e+300",
        ),
        ("execution: {gpus: 0.5}", "3:13: execution.gpus: must be all or a whole number, not 0.5"),
        (
            "name: a b",
            "3:1: name: must be letters, digits, '.', '_' and '-', at most 80, the first a letter or digit, "
            "not 'a b'",
        ),
        ("name: 12", "3:1: name: must be text, not 12"),
        ("architectures: []", "3:1: architectures: must be a mapping of words, not []"),
        (
            "architectures: {a: {}}",
            "3:17: architectures.a: an architecture needs dense blocks, conv blocks, or both",
        ),
        (
            "architectures: {a: {dense: [32, [64, 1]]}}",
            "3:33: architectures.a.dense.1: the dropout must be below 1.0, not 1",
        ),
        (
            "architectures: {a: {conv: [[8, 16]]}}",
            "3:28: architectures.a.conv.0: the kernel must be at most 15, not 16",
        ),
        (
            "architectures: {a: {conv: [[8, 3, 1]]}}",
            "3:28: architectures.a.conv.0: at most 2 values (filters, kernel), not 3",
        ),
        (
            "architectures: {a: {dense: [true]}}",
            "3:29: architectures.a.dense.0: must be a mapping of words, not true",
        ),
        (
            "architectures: {a: {dense: [{width: 8, widht: 9}]}}",
            "3:40: architectures.a.dense.0.widht: unknown word; did you mean width?",
        ),
        (
            "architectures: {dense: {dense: [8], bridg: flatten}}",
            "3:37: architectures.dense.bridg: unknown word; did you mean bridge?",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_path_and_remedy(tmp_path, words, fault):
    assert faults(tmp_path, f"{HEAD}{words}\n") == [fault]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("depth: 65", "depth: must be at most 64, not 65"),
        ("depth: true", "depth: must be a whole number, not true"),
        ("depth: {low: 0, high: 2}", "depth.low: must be at least 1, not 0"),
        ("ordering: fallin", f"ordering: must be {ORDERINGS}, not 'fallin'; did you mean falling?"),
        ("ordering: [rising, up]", f"ordering.1: must be {ORDERINGS}, not 'up'"),
        ("dropout: 1.0", "dropout: must be below 1.0, not 1.0"),
        ("dropout: false", "dropout: must be a number, not false"),
        ("dropout: {rising: -0.1}", "dropout.rising: must be at least 0.0, not -0.1"),
        ("dropout: {rising: 0, faling: 0}", "dropout.faling: unknown word; did you mean falling?"),
        ("batch_norm: 1", "batch_norm: must be true or false, not 1"),
        ("batch_norm: off", "batch_norm: must be true or false, not 'off'"),
        ("l2: {low: 0, high: 1, log: true}", "l2: low must be above 0 where log is true, not 0"),
    ],
)
def test_a_fault_in_a_family_is_told_by_its_path(tmp_path, words, fault):
    told = faults(
        tmp_path, f"data: digits\nfamilies:\n  dense:\n    {words}\n    narrowest: 8\n    widest: 8\n"
    )
    assert [line.split(": ", 1)[1] for line in told if line.startswith("4:")] == [f"families.dense.{fault}"]


def test_all_faults_of_a_file_are_told_at_once_from_top_to_bottom(tmp_path):
    text = """\
data: {source: digits, validation: 1}
families:
  dense:
    depth: 0
    narrowest: 8
training: {epochs: x, epoch: 3}
serach: 3
"""
    assert faults(tmp_path, text) == [
        "1:24: data.validation: must be below 0.5, not 1",
        "3:3: families.dense.widest: this word is missing",
        "4:5: families.dense.depth: must be at least 1, not 0",
        "6:12: training.epochs: must be a whole number, not 'x'",
        "6:23: training.epoch: unknown word; did you mean epochs?",
        "7:1: serach: unknown word; did you mean search?",
    ]


@pytest.mark.parametrize(
    ("family", "fault"),
    [
        (
            "densee: {depth: 2, widht: 3}",
            "3:3: families.densee: unknown family 'densee'; did you mean dense? "
            "a family of your own has the word hypermodel",
        ),
        ("own: 3", "3:3: families.own: unknown family 'own'; a family of your own has the word hypermodel"),
        ("own: {hypermodle: 'm:M'}", "3:9: families.own.hypermodle: unknown word; did you mean hypermodel?"),
        (
            "own: {hypermodel: models.Mine}",
            "3:9: families.own.hypermodel: must be package.module:ClassName, not 'models.Mine'",
        ),
        (
            "own: {hypermodel: 'm:M', argumnts: {}}",
            "3:28: families.own.argumnts: unknown word; did you mean arguments?",
        ),
        (
            "conv: {hypermodel: 'm:M'}",
            "3:3: families.conv: a family is named by letters, digits, '.', '_' and '-', the first a letter; "
            "not conv",
        ),
        (
            "a b: {hypermodel: 'm:M'}",
            "3:3: families.a b: a family is named by letters, digits, '.', '_' and '-', the first a letter; "
            "not conv",
        ),
        (
            "dense: {depth: 2, narrowest: 8, widest: 8, repeats: 9}",
            "3:46: families.dense.repeats: must be at most 8, not 9",
        ),
        (
            "cnn: {blocks: 1, filters: {first: 8}, stride: [1, 9]}",
            "3:53: families.cnn.stride.1: must be at most 8, not 9",
        ),
    ],
)
def test_a_fault_in_a_family_is_told_with_its_place(tmp_path, family, fault):
    assert faults(tmp_path, f"data: digits\nfamilies:\n  {family}\n") == [fault]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("dense 32 dropot 0.2", "'dropot' is not understood; did you mean dropout?"),
        ("dense 32·70000·70001", "the width must be at most 65536, not 7000"),
        ("dense 32 dropout 1", "the dropout must be below 1.0, not 1.0"),
        ("conv 8 16x16 -> flatten", "the kernel must be at most 15, not 16"),
        ("conv 8 3x3 stride 9 -> flatten", "the stride must be at most 8, not 9"),
        ("dense 8 l2 11", "the l2 must be at most 10.0, not 11.0"),
        ("DENSE 64", "'DENSE' begins no architecture; did you mean dense?"),
        ("conv 8 3x3", "the bridge is missing"),
        ("mine units=64", "'mine' begins no architecture: dense, conv or a family with a hypermodel does"),
        ("''", "a line begins with dense, conv or a family's name, not ''"),
    ],
)
def test_a_fault_in_a_line_is_told_with_its_place(tmp_path, line, fault):
    (first, *_) = faults(tmp_path, f"data: digits\narchitectures:\n  a: dense 8\n  b: {line}\n")
    assert first.startswith(f"4:3: architectures.b: {fault}")


def test_a_fault_that_the_blocks_of_a_line_share_is_told_once(tmp_path):
    assert len(faults(tmp_path, "data: digits\narchitectures: {a: dense 8·8·8 dropout 2}\n")) == 1


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("npz: a\n  csv: b", "3:3: data.csv: give one source"),
        ("npz: a\n  split_seed: 1\n  color: rgb", "4:3: data.color: color belongs to image_folder"),
        ("split_seed: 1\n  csv: b", "3:3: data.csv: needs label: the column that holds the class"),
        ("image_folder: a\n  groups:\n    column: b", "4:5: data.groups.column: belongs to csv or parquet"),
        (
            "csv: a\n  label: b\n  groups:\n    pattern: b",
            "5:5: data.groups.pattern: belongs to image_folder",
        ),
        (
            "csv: a\n  label: b\n  groups: {column: c,\n    across: [val]}",
            "5:5: data.groups.across: belongs to pattern",
        ),
        (
            "csv: a\n  label: b\n  groups: {pattern: c,\n    column: d}",
            "5:5: data.groups.column: give either",
        ),
    ],
)
def test_a_fault_of_words_that_do_not_go_together_stands_at_the_word(tmp_path, words, fault):
    (line,) = faults(tmp_path, f"data:\n  {words}\narchitectures: {{a: dense 8}}\n")
    assert line.startswith(fault)


def test_sections_without_words_are_told_as_empty(tmp_path):
    assert faults(tmp_path, "data:\nfamilies: null\n") == [
        "1:1: data: is empty; give it words",
        "2:1: families: is empty; leave it out or give it words",
    ]


CONTINUOUS = """\
data: digits
families:
  own: {hypermodel: 'm:M'}
  dense:
    depth: 2
    narrowest: 8
    widest: {low: 8, high: 64}
    dropout: {rising: {low: 0.0, high: 0.5}}
training:
  learning_rate: {low: 1e-3, high: 1e-2}
  augmentation: {zoom: {low: 0, high: 0.5}}
search: {sampler: grid}
"""


def test_a_grid_over_a_continuous_range_is_refused_where_the_range_is(tmp_path):
    assert faults(tmp_path, CONTINUOUS) == [
        "3:3: families.own: grid can't list what a HyperModel asks for; set sampler: tpe or random",
        "8:15: families.dense.dropout.rising: grid can't search the range 0 to 0.5; give a list",
        "10:3: training.learning_rate: grid can't search the range 0.001 to 0.01; give a list",
        "11:18: training.augmentation.zoom: grid can't search the range 0 to 0.5; give a list",
    ]


def test_cma_es_needs_ranges_in_every_family(tmp_path):
    text = f"{HEAD}training: {{learning_rate: {{low: 1e-3, high: 1e-2}}}}\nsearch: {{sampler: cma-es}}\n"
    assert faults(tmp_path, text) == [
        "2:12: families.dense: cma-es searches ranges of numbers, at least 2; dense and training have 1: "
        "give ranges such as {low: 2, high: 5}, or set sampler: tpe"
    ]
    SearchSpace.from_mapping(
        {
            "name": "a",
            "data": "digits",
            "families": {"dense": {"depth": {"low": 1, "high": 3}, "narrowest": 8, "widest": 64}},
            "training": {"learning_rate": {"low": 1e-3, "high": 1e-2}},
            "search": {"sampler": "cma-es"},
        }
    )


def test_no_sampler_needs_named_architectures(tmp_path):
    (line,) = faults(tmp_path, f"{HEAD}search: {{sampler: none}}\n")
    assert line.startswith("3:10: search.sampler: none trains named architectures only, and there are none")


def test_a_list_of_early_stoppings_has_one_patience_each(tmp_path):
    words = "training: {early_stopping: [off, {patience: [5, 10]}]}"
    (line,) = faults(tmp_path, f"{HEAD}{words}\n")
    assert line.startswith("3:34: training.early_stopping.1: in a list each patience is one number")


def test_a_long_value_is_shortened(tmp_path):
    (line,) = faults(tmp_path, f"{HEAD}name: {'x' * 200}\n")
    assert len(line) < 200
    assert line.endswith("…")


def test_a_space_with_nothing_to_search_is_refused(tmp_path):
    (line,) = faults(tmp_path, "data: digits\n")
    assert line.startswith("1:1: nothing to search: give families")


def test_a_missing_file_is_refused_by_its_name(tmp_path):
    with pytest.raises(SpaceError, match=r"absent.yaml: no such file$"):
        SearchSpace.from_yaml(tmp_path / "absent.yaml")


def test_a_folder_is_refused_as_a_space(tmp_path):
    with pytest.raises(SpaceError, match=r"can't be read: Is a directory$"):
        SearchSpace.from_yaml(tmp_path)


def test_a_file_not_in_utf_8_is_refused_with_the_first_wrong_byte(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(SpaceError, match=r"not a text file in UTF-8 \(byte 6\)$"):
        SearchSpace.from_yaml(path)
