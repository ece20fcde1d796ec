"""Requests to a running search: none is lost, none is read in halves, and rubbish does no harm."""

import json
import os
import time

import hypothesis.strategies as st
import pytest
from any_blocks import dense_blocks
from hypothesis import given, settings

from archsearch.architecture import Architecture, ConvBlock, DenseBlock, HyperModelArchitecture
from archsearch.errors import StoreError
from archsearch.study.steering import Add, Mailbox, Skip

DENSE = Architecture("dense", (DenseBlock(64, 0.2),))
CNN = Architecture("cnn", (DenseBlock(8),), (ConvBlock(4, pooling="max"),), "global_average")
MINE = HyperModelArchitecture("mine", "package.module:Name", (("units", 64), ("activation", "relu")))
RUBBISH = [
    "",
    "{",
    "[]",
    "null",
    "3",
    '"skip"',
    "{}",
    '{"skip": "3"}',
    '{"skip": true}',
    '{"skip": 1.5}',
    '{"add": null, "name": null}',
    '{"add": {"family": "dense"}, "name": null}',
    '{"add": {"hypermodel": "a:b"}, "name": null}',
    json.dumps({"add": DENSE.to_json(), "name": 3}),
    json.dumps({"add": DENSE.to_json()}),
    json.dumps({"add": DENSE.to_json(), "name": None}).replace("64", '"wide"'),
    "[" * 100_000,
    b"\xff\xfe\x00",
]


def requests(mailbox):
    return [request for _, request in mailbox.take()]


def test_requests_come_in_the_order_in_which_they_were_sent(tmp_path):
    sent = [Skip(3), Add(DENSE), Add(CNN, "small"), Add(MINE), Skip(0)]
    for request in sent:
        Mailbox(tmp_path / "requests").send(request)
    assert requests(Mailbox(tmp_path / "requests")) == sent


@settings(max_examples=30)
@given(st.lists(dense_blocks, min_size=1, max_size=4))
def test_any_architecture_arrives_as_it_was_sent(tmp_path_factory, blocks):
    architecture = Architecture("dense", tuple(blocks))
    mailbox = Mailbox(tmp_path_factory.mktemp("requests"))
    mailbox.send(Add(architecture))
    assert requests(mailbox) == [Add(architecture)]


def test_a_request_stays_until_it_is_removed_whoever_asks(tmp_path):
    mailbox = Mailbox(tmp_path)
    mailbox.send(Skip(1))
    mailbox.send(Skip(2))
    (first, _), (second, _) = mailbox.take()
    mailbox.remove(first)
    assert mailbox.take() == [(second, Skip(2))]
    assert Mailbox(tmp_path).take() == [(second, Skip(2))]
    mailbox.remove(second)
    mailbox.remove(second)
    assert mailbox.take() == []


@pytest.mark.parametrize("text", RUBBISH, ids=range(len(RUBBISH)))
def test_what_is_no_request_is_set_aside_and_the_others_are_read(tmp_path, text):
    mailbox = Mailbox(tmp_path)
    mailbox.send(Skip(1))
    path = tmp_path / "0-mine.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert requests(mailbox) == [Skip(1)]
    assert not path.exists()
    assert len(list(tmp_path.glob("*.unreadable"))) == 1
    assert requests(mailbox) == [Skip(1)]


def test_files_and_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "half.draft").write_text('{"skip": 1}')
    assert requests(Mailbox(tmp_path)) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_asking_costs_next_to_nothing_where_nothing_was_sent(tmp_path):
    mailboxes = Mailbox(tmp_path / "none"), Mailbox(tmp_path)
    started = time.perf_counter()
    for _ in range(1_000):
        for mailbox in mailboxes:
            assert mailbox.take() == []
    assert time.perf_counter() - started < 1.0


def test_a_folder_that_cannot_be_written_is_a_fault_with_its_path(tmp_path):
    (tmp_path / "requests").write_text("in the way")
    with pytest.raises(StoreError, match=r"requests: can't be written"):
        Mailbox(tmp_path / "requests").send(Skip(1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_fault_with_its_path(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"can't be written: Permission denied"):
        Mailbox(tmp_path).send(Skip(1))
