import contextlib
import re

import hypothesis.strategies as st
import pytest
from any_blocks import conv_blocks, dense_blocks
from hypothesis import given

from archsearch.architecture import Architecture, HyperModelArchitecture
from archsearch.notation import is_stack, parse, parse_values
from archsearch.space import SearchSpace
from archsearch.space.document import read_document

dense_stacks = st.lists(dense_blocks, min_size=1, max_size=6).map(tuple)
architectures = st.one_of(
    st.builds(Architecture, st.just("dense"), dense_stacks),
    st.builds(
        Architecture,
        st.just("cnn"),
        st.one_of(st.just(()), dense_stacks),
        st.lists(conv_blocks, min_size=1, max_size=6).map(tuple),
        st.sampled_from(["flatten", "global_average", "global_max"]),
    ),
)
names = st.text(min_size=1).filter(lambda name: "…" not in name)
values = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
hypermodels = st.builds(
    HyperModelArchitecture,
    st.from_regex(r"(?!conv$|dense$|cnn$)[A-Za-z][A-Za-z0-9._-]{0,9}", fullmatch=True),
    st.just("models:Mine"),
    st.dictionaries(names, values, max_size=5).map(lambda chosen: tuple(chosen.items())),
)


@given(architectures)
def test_a_line_is_read_back_as_the_same_architecture(architecture):
    assert is_stack(architecture.notation)
    assert parse(architecture.notation) == architecture


@given(architectures)
def test_a_line_can_be_written_with_the_signs_of_any_keyboard(architecture):
    plain = architecture.notation.replace("→", "->").replace("×", "x").replace("·", "-")
    assert plain.isascii()
    assert (
        parse(plain) == parse(plain.replace("-", "*").replace("*>", "->").replace("e*", "e-")) == architecture
    )


@given(architectures)
def test_a_line_pasted_into_a_space_is_the_same_architecture(architecture):
    text = f"name: s\ndata: digits\narchitectures:\n  pasted: {architecture.notation}\n"
    space = SearchSpace.from_mapping(read_document("space.yaml", text).value)
    assert space.named_architectures == {"pasted": architecture}


@given(hypermodels)
def test_a_line_of_a_hypermodel_is_read_back_with_its_values_and_their_kinds(hypermodel):
    assert not is_stack(hypermodel.notation)
    family, chosen = parse_values(hypermodel.notation)
    assert (family, chosen) == (hypermodel.family, hypermodel.values)
    assert [type(value) for _, value in chosen] == [type(value) for _, value in hypermodel.values]


@given(hypermodels)
def test_a_line_of_a_hypermodel_pasted_into_a_space_is_the_same_architecture(hypermodel):
    text = (
        f"name: s\ndata: digits\nfamilies: {{{hypermodel.family}: {{hypermodel: 'models:Mine'}}}}\n"
        f"architectures:\n  pasted: {hypermodel.notation}\n"
    )
    if not hypermodel.values:
        text = text.replace(f"pasted: {hypermodel.family}", f"pasted: '{hypermodel.family}'")
    space = SearchSpace.from_mapping(read_document("space.yaml", text).value)
    assert space.named_architectures == {"pasted": hypermodel}


def test_a_hyperparameter_whose_name_is_no_plain_word_is_quoted():
    mine = HyperModelArchitecture("mine", "m:M", (("layer 1: units", 8), ("name", "a # b")))
    assert mine.notation == 'mine "layer 1\\u003a units"=8 name="a \\u0023 b"'


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("  dense   32·64   dropout 0.2 ", "dense 32·64 dropout 0.2"),
        ("dense 32*64-128", "dense 32·64·128"),
        ("dense 32,64", "dense 32·64"),
        ("dense 8 dropout .5 l2 1E-4 bn relu", "dense 8 bn dropout 0.5 l2 0.0001"),
        ("conv 8 3x3 same max->global_max->dense 8", "conv 8 3×3 max → global max → dense 8"),
    ],
)
def test_a_line_may_be_written_freely(line, same):
    assert parse(line).notation == same


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "an architecture in one line is 'dense WIDTHS' or"),
        ("dense", "widths are whole numbers such as 64·32, not ''"),
        ("dense 32·", "widths are whole numbers such as 64·32, not '32·'"),
        ("dense 3.5", "not '3.5'"),
        ("dense 32 dropout", "after dropout stands a number, not ''"),
        ("dense 32 dropout nan", "after dropout stands a number, not 'nan'"),
        ("dense 32 dropout -0.1", "after dropout stands a number, not '-0.1'"),
        ("dense 32 dropout 0.1 dropout 0.2", "dropout: the dropout of these blocks is given twice"),
        ("dense 32 relu tanh", "tanh: the activation of these blocks is given twice"),
        ("dense 32 dropot 0.2", "'dropot' is not understood; did you mean dropout?"),
        ("dense 32 stride 2", "'stride' is not understood; known here: bn, relu, "),
        ("dense 32 → dense 32", "an architecture in one line is"),
        ("dense 1024·51…", "the line was shortened ('…')"),
        ("conv 16 3×3", "the bridge is missing: write 'conv 16 3×3 → flatten'"),
        ("conv 16 3×3 → dense 8", "the bridge is missing: write 'conv 16 3×3 → flatten → dense 8'"),
        ("conv 16 → flatten", "after the filters stands a square kernel such as 3×3, not ''"),
        ("conv 16 3×5 → flatten", "square kernel such as 3×3, not '3×5'"),
        ("conv x 3×3 → flatten", "filters are whole numbers such as 64·32, not 'x'"),
        ("conv 16 3×3 stride 1.5 → flatten", "after stride stands a whole number, not '1.5'"),
        ("conv 16 3×3 max average → flatten", "average: the pooling of these blocks is given twice"),
        ("conv 16 3×3 → flaten", "a bridge is flatten, global average or global max, not 'flaten'"),
        ("conv 16 3×3 → flatten → 32", "here must stand 'dense …', not '32'"),
        ("conv 16 3×3 → flatten → dense 32 → dense 8", "an architecture in one line is"),
        ("dense " + "9" * 5000, "widths are whole numbers"),
        ("dense ٣٢", "widths are whole numbers"),
    ],
)
def test_a_line_that_is_not_understood_is_refused_with_the_part(line, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "a line begins with dense, conv or a family's name, not ''"),
        ("12", "a line begins with"),
        ("DENSE 64", "'DENSE' begins no architecture; did you mean dense?"),
        ("Conv 8 3×3 → flatten", "'Conv' begins no architecture; did you mean conv?"),
        ("mine units", "'units' is not understood: after a family's name stand NAME=VALUE"),
        ("mine,units=1", "',units=1' is not understood"),
        ("mine units=64,b=1", "',b=1' is not understood"),
        ("mine units=", "units: a value is a number, true, false or \"text\" in quotes, not ''"),
        ("mine a=relu b=1", "a: a value is a number, true, false or \"text\" in quotes, not 'relu'"),
        ("mine a=null", "a: a value is a number, true, false"),
        ("mine a=[1]", "a: a value is a number, true, false"),
        ("mine a=1 a=2", "a stands twice"),
        ('mine "a b=1', "is not understood"),
        ("mine a=1 b…", "the line was shortened"),
    ],
)
def test_a_line_of_a_hypermodel_that_is_not_understood_is_refused_with_the_part(line, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_values(line)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for read in (parse, parse_values):
        with contextlib.suppress(ValueError):
            read(text)


def test_values_nested_deeply_are_refused():
    with pytest.raises(ValueError, match="a value is a number"):
        parse_values("mine a=" + "[" * 100_000)
