import contextlib
import math
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import DATA, REFERENCES, epoch, header, recorded, space, trial

from archsearch.diagnosis import judge_trials
from archsearch.errors import SearchLocked, StorageFull, StoreError
from archsearch.records import Status, TrainingRun
from archsearch.study import Mirrored, Record
from archsearch.study.filesystem import file_system_of, is_network, network_file_system
from archsearch.study.values import Proposal

NAN, INF = math.nan, math.inf


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space()) as record:
        yield record


def ended(number, epochs=(), **fields):
    run = TrainingRun(0, Status.COMPLETED, tuple(epochs), **fields)
    judged = {"verdict": "good", "delivered": "good", "confidence": 0.875, "agreement": 2 / 3}
    return trial(number, Status.COMPLETED, score=0.25, runs=(run,), **judged)


def proposal(number, of_trial, **fields):
    values = {"state": "RUNNING", "value": None} | fields
    return Proposal(
        "dense", number, of_trial, {"dense.depth": 3}, {"dense.depth": "{}"}, {"k": [1]}, **values
    )


def begin(record, trial, *proposals):
    """A trial that waited for a worker is trained."""
    record.queue(trial, proposals)
    record.start(trial)


def end(record, trial, proposal=None, judgements=None):
    for run in trial.runs:
        record.add_run(trial.number, run)
    record.end_trial(trial, proposal, judgements)


def text(value):
    """A comparable form: NaN equals NaN, arrays equal by value."""
    with np.printoptions(threshold=10_000):
        return repr(value)


def test_a_header_is_read_as_it_was_written(record):
    assert record.header() == header(space())
    assert record.header().references == REFERENCES


def test_an_ended_trial_is_read_as_it_was_written(record):
    probabilities = np.random.default_rng(0).random((7, 10), dtype=np.float32)
    epochs = [epoch(1, 0.7), epoch(2, 0.1 + 0.2)]
    whole = ended(
        0,
        epochs,
        reason="why\nnot",
        early_stopped=True,
        delivered_epoch=2,
        val_loss_spread=0.3,
        probabilities=probabilities,
        model="trial-0.keras",
        seconds=1.5,
        environment={"device": "cpu", "jit_compile": False},
    )
    begin(record, trial(0))
    for one in epochs:
        record.add_epoch(0, 0, one)
    end(record, whole)
    (read,), _ = record.trials()
    assert text(read) == text(whole)
    assert read.runs[0].probabilities.dtype == np.float32
    assert np.array_equal(read.runs[0].probabilities, probabilities)
    assert read.runs[0].delivered.val_loss == 0.1 + 0.2


def test_values_that_are_no_finite_numbers_stay_what_they_are(record):
    odd = replace(epoch(1, NAN), train_loss=INF, train_loss_eval=-INF, val_loss_halves=(NAN, INF), auc=NAN)
    begin(record, trial(0))
    record.add_epoch(0, 0, odd)
    (read,), _ = record.trials()
    assert text(read.runs[0].epochs) == text((odd,))


def test_a_running_trial_shows_the_epochs_it_has(record):
    begin(record, trial(0))
    record.add_epoch(0, 4, epoch(1, 0.5))
    (read,), _ = record.trials()
    assert read.status is Status.RUNNING
    assert [(run.seed, run.status, run.epochs) for run in read.runs] == [
        (4, Status.RUNNING, (epoch(1, 0.5),))
    ]


def test_a_new_session_forgets_what_every_interrupted_trial_had_done_and_nothing_else(record):
    for number in range(3):
        begin(record, trial(number))
        record.add_epoch(number, 0, epoch(1, 0.5))
    end(record, ended(1))
    kept = record.trials()[0][1]
    record.begin_session("archsearch run made-up.yaml", 1, 3)
    after = record.trials()[0]
    assert [after[0].runs, after[1], after[2].runs] == [(), kept, ()]
    record.add_epoch(0, 0, epoch(1, 0.4))
    assert record.trials()[0][0].runs[0].epochs == (epoch(1, 0.4),)


def test_trials_can_be_read_without_their_trainings(record):
    begin(record, trial(0))
    record.add_epoch(0, 0, epoch(1, 0.5))
    assert record.trials(with_runs=False)[0][0].runs == ()


def test_proposals_are_read_as_written_and_lend_their_choices_to_their_trial(record):
    begin(record, trial(0), proposal(0, 0))
    record.put_proposals([proposal(1, None, state="PRUNED")])
    assert record.proposals("dense") == [proposal(0, 0), proposal(1, None, state="PRUNED")]
    assert record.proposals("cnn") == []
    end(record, ended(0), proposal(0, 0, state="COMPLETE", value=0.25))
    assert record.proposals("dense")[0].value == 0.25
    assert [t.params for t in record.trials()[0]] == [{"dense.depth": 3}]


def test_every_change_to_a_trial_and_only_that_shows_after_the_last_revision(record):
    begin(record, trial(0))
    begin(record, trial(1))
    _, revision = record.trials()
    assert record.trials(changed_after=revision) == ((), revision)
    for number, change in enumerate(
        [
            lambda: record.add_epoch(1, 0, epoch(1, 0.5)),
            lambda: end(record, ended(1)),
            lambda: record.put_judgements(
                [trial(1, Status.COMPLETED, verdict="overfit", delivered="overfit")], {}
            ),
        ]
    ):
        change()
        changed, newer = record.trials(changed_after=revision)
        assert [t.number for t in changed] == [1], number
        assert newer == record.revision() > revision
        revision = newer


def test_judgements_are_kept_with_their_trial_and_replaced_by_later_ones(record):
    trials = [ended(0, [epoch(n, 1 / n) for n in range(1, 9)])]
    first, later = (judge_trials(trials, DATA, linear) for linear in (None, REFERENCES[1]))
    begin(record, trial(0))
    end(record, trials[0], None, first)
    assert record.judgements() == first
    before = record.revision()
    record.put_judgements([], later)
    assert record.judgements() == later != first
    assert record.revision() == before, "no trial's verdict has changed"
    record.put_judgements([replace(trials[0], verdict="overfit", confidence=None)], {})
    (read,), _ = record.trials()
    assert (read.verdict, read.delivered, read.confidence, read.agreement) == ("overfit", "good", None, 2 / 3)
    assert record.judgements() == later


def test_the_words_of_another_version_count_as_not_judged(record):
    begin(record, trial(0))
    record._db.execute('INSERT INTO judgements VALUES (0, 0, \'{"verdict": "splendid"}\')')
    assert record.judgements() == {}


def first_version(folder):
    """A record as archsearch wrote it before it stored judgements, with one ended trial."""
    with recorded(folder, space()) as record:
        begin(record, trial(0))
        record.add_epoch(0, 0, epoch(1, 0.5))
        end(record, ended(0))
    connection = sqlite3.connect(folder / "record.sqlite")
    connection.executescript(
        "DROP TABLE judgements; ALTER TABLE trials DROP COLUMN confidence; "
        "ALTER TABLE trials DROP COLUMN agreement; DROP TABLE changes; "
        "ALTER TABLE trials DROP COLUMN worker; ALTER TABLE trials DROP COLUMN by_hand; "
        "ALTER TABLE sessions DROP COLUMN gpus; ALTER TABLE sessions DROP COLUMN reason; "
        "ALTER TABLE sessions DROP COLUMN ends_by; PRAGMA user_version = 1"
    )
    connection.close()
    return folder / "record.sqlite"


def test_an_older_record_can_be_read_and_stays_as_it_is(tmp_path):
    path = first_version(tmp_path)
    before = path.read_bytes()
    with Record.open(path, read_only=True) as record:
        assert record.judgements() == {}
        (read,) = record.snapshot().trials
        assert (read.verdict, read.confidence, read.agreement) == ("good", None, None)
    assert path.read_bytes() == before


def test_an_older_record_is_gone_on_with(tmp_path):
    path = first_version(tmp_path)
    with Record.open(path, read_only=True) as reader:
        with Record.open(path) as record:
            kept = record.trials()[0]
            judgements = judge_trials(kept, DATA)
            record.put_judgements([replace(kept[0], confidence=0.5)], judgements)
            begin(record, trial(1))
        assert len(reader.snapshot().trials) == 1, "who had it open before goes on reading what it was"
    with Record.open(path) as record:
        assert record.judgements() == judgements
        assert [t.confidence for t in record.trials()[0]] == [0.5, None]
        assert record.trials()[0][0].runs == kept[0].runs


def test_a_record_that_could_not_be_brought_up_to_date_is_what_it_was(tmp_path, monkeypatch):
    path = first_version(tmp_path)
    broken = {1: ("ALTER TABLE trials ADD COLUMN confidence REAL", "nonsense")}
    monkeypatch.setattr("archsearch.study.schema.MIGRATIONS", broken)
    with pytest.raises(StoreError, match="nonsense"):
        Record.open(path)
    monkeypatch.undo()
    with Record.open(path) as record:
        assert len(record.trials()[0]) == 1


def test_totals_mirrors_and_sessions_are_kept(record):
    assert (record.total(), record.mirrored(), record.sessions()) == (0, None, [])
    mirrored = Mirrored("sqlite:///mlflow.db", "1", 7, False)
    record.set_mirrored(mirrored)
    record.begin_session("archsearch run x.yaml --trials 24", 2, 24)
    assert record.sessions()[0].status == "running"
    record.end_session("finished", 1.5)
    (session,) = record.sessions()
    assert (record.total(), record.mirrored()) == (24, mirrored)
    assert (session.status, session.driver_seconds, session.workers) == ("finished", 1.5, 2)
    assert session.seconds >= 0


def test_a_snapshot_holds_the_whole_search(record):
    record.begin_session("archsearch run made-up.yaml", 1, 3)
    begin(record, trial(0, name="first"))
    snapshot = record.snapshot()
    assert (snapshot.id, snapshot.total, snapshot.status) == ("made-up-1", 3, "running")
    assert [t.name for t in snapshot.trials] == ["first"]


def test_readers_see_every_event_while_the_writer_writes(record):
    with Record.open(record.path, read_only=True) as reader:
        for number in range(3):
            begin(record, trial(number))
            assert len(reader.trials()[0]) == number + 1
            assert reader.snapshot().trials == record.snapshot().trials


def test_a_reader_can_not_write(record):
    with Record.open(record.path, read_only=True) as reader, pytest.raises(StoreError, match="readonly"):
        begin(reader, trial(0))


def test_what_was_written_is_there_after_the_writer_is_gone(tmp_path):
    with recorded(tmp_path, space()) as record:
        begin(record, trial(0))
    with Record.open(tmp_path / "record.sqlite") as record:
        assert len(record.trials()[0]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["record.sqlite"]


def test_a_record_whose_creation_was_cut_short_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("archsearch.study.record.SCHEMA", "CREATE TABLE search (nonsense")
    with pytest.raises(StoreError, match="unfinished-"):
        recorded(tmp_path, space())
    assert not (tmp_path / "record.sqlite").exists()
    monkeypatch.undo()
    recorded(tmp_path, space()).close()
    assert [path.name for path in tmp_path.iterdir()] == ["record.sqlite"]


def test_a_record_of_a_newer_version_is_refused(tmp_path):
    recorded(tmp_path, space()).close()
    connection = sqlite3.connect(tmp_path / "record.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"newer archsearch \(record version 99, this one reads up to \d+\)"):
        Record.open(tmp_path / "record.sqlite")


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("content", [b"", b"no database", b"x" * 5_000])
def test_a_file_that_is_no_record_is_refused(tmp_path, content, read_only):
    path = tmp_path / "record.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"record\.sqlite: "):
        Record.open(path, read_only=read_only)


def test_an_empty_file_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "record.sqlite").touch()
    with pytest.raises(StoreError, match=r"record\.sqlite: empty .*restore the file from a copy.*--new"):
        Record.open(tmp_path / "record.sqlite", read_only=True)


def test_a_database_of_something_else_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / "other.sqlite")
    connection.execute("CREATE TABLE things (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="a SQLite file, but no record of a search"):
        Record.open(tmp_path / "other.sqlite")


@pytest.fixture
def large(tmp_path):
    """The path of a record of many pages."""
    with recorded(tmp_path, space()) as record:
        for number in range(200):
            begin(record, trial(number))
            record.add_epoch(number, 0, epoch(1, 0.5))
    return tmp_path / "record.sqlite"


def overwritten(content):
    return content[:4096] + b"\xff" * (len(content) - 4096)


def one_page_overwritten(content):
    middle = len(content) // 8192 * 4096
    return content[:middle] + b"\xff" * 4096 + content[middle + 4096 :]


def an_index_that_lacks_a_trial(content):
    """Only the whole check finds this."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(content)
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master "
            "WHERE name = 'proposals_by_trial') WHERE name = 'trials_by_revision'"
        )
        return connection.serialize()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        overwritten,
        one_page_overwritten,
        an_index_that_lacks_a_trial,
    ],
    ids=["half of it", "all but a byte", "overwritten", "one page", "index"],
)
def test_a_damaged_record_is_refused_with_what_to_do(large, damage, read_only):
    large.write_bytes(damage(large.read_bytes()))
    with pytest.raises(StoreError, match=r"record\.sqlite: damaged \(.+\): restore .* copy.* --new"):
        Record.open(large, read_only=read_only)


def test_a_missing_record_is_refused_and_not_made(tmp_path):
    with pytest.raises(StoreError, match="no such record"):
        Record.open(tmp_path / "record.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_record_can_not_be_made_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(StoreError, match="can't be written"):
        recorded(tmp_path / "folder", space())


def fill(record):
    """Add epochs until there is no room."""
    for number in range(1, 10_000):
        record.add_epoch(0, 0, epoch(number, 0.5))


def test_a_full_disk_is_said_and_what_was_recorded_before_is_whole(record):
    begin(record, trial(0))
    pages = record._db.execute("PRAGMA page_count").fetchone()[0]
    # To SQLite this is a disk with no more room.
    record._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StorageFull, match="is the disk full"):
        fill(record)
    record._db.execute(f"PRAGMA max_page_count = {100 * pages}")
    (run,) = record.trials()[0][0].runs
    assert [e.epoch for e in run.epochs] == list(range(1, len(run.epochs) + 1))
    record.add_epoch(0, 0, epoch(len(run.epochs) + 1, 0.4))
    assert record.trials()[0][0].runs[0].epochs[-1] == epoch(len(run.epochs) + 1, 0.4)


# -- other machines ------------------------------------------------------------------------------------------


@pytest.fixture
def on_network(monkeypatch):
    """All files are on a network file system, for as long as `monkeypatch` says."""
    monkeypatch.setattr("archsearch.study.database.network_file_system", lambda _: "nfs4")


def journal(record):
    return record._db.execute("PRAGMA journal_mode").fetchone()[0]


@pytest.mark.usefixtures("on_network")
def test_on_a_network_file_system_nothing_needs_shared_memory(tmp_path):
    with recorded(tmp_path, space()) as record, Record.open(record.path, read_only=True) as reader:
        for number in range(3):
            begin(record, trial(number))
            assert len(reader.trials()[0]) == number + 1
        assert journal(record) == journal(reader) == "delete"
        assert record._db.execute("PRAGMA synchronous").fetchone()[0] == 2, "full"
        assert [path.name for path in tmp_path.iterdir()] == ["record.sqlite"]


def test_a_record_left_open_on_a_local_disk_is_gone_on_with_over_the_network(tmp_path, monkeypatch):
    with recorded(tmp_path / "there", space()) as record:
        begin(record, trial(0))
        here = tmp_path / "here"
        shutil.copytree(record.path.parent, here)  # as after the writer was killed
    assert (here / "record.sqlite-wal").stat().st_size > 0
    monkeypatch.setattr("archsearch.study.database.network_file_system", lambda _: "nfs4")
    with pytest.raises(StoreError, match=r"left open by a machine .* can't be read over nfs4"):
        Record.open(here / "record.sqlite", read_only=True)
    with Record.open(here / "record.sqlite") as record:
        assert journal(record) == "delete"
        with Record.open(record.path, read_only=True) as reader:
            assert len(reader.trials()[0]) == 1


@pytest.mark.usefixtures("on_network")
def test_what_a_killed_writer_left_in_the_middle_is_undone_by_who_only_reads(tmp_path):
    with recorded(tmp_path, space()) as record:
        begin(record, trial(0))
        record._db.execute("PRAGMA cache_size = 1")  # writes pages before the end of the transaction
        record._db.execute("BEGIN IMMEDIATE")
        values = [(number, 0, 1) for number in range(1, 3_000)]
        record._db.executemany("INSERT INTO epochs (trial, seed, epoch) VALUES (?, ?, ?)", values)
        killed = tmp_path / "killed"
        killed.mkdir()
        for name in ("record.sqlite", "record.sqlite-journal"):
            shutil.copy(tmp_path / name, killed)
        record._db.execute("ROLLBACK")
    with Record.open(killed / "record.sqlite", read_only=True) as reader:
        assert len(reader.trials()[0]) == 1
        assert reader._rows("SELECT count(*) FROM epochs") == [(0,)]


MOUNTS = [
    ("/", "ext4"),
    ("/data", "ext4"),
    ("/data/shared", "autofs"),
    ("/data/shared", "nfs4"),
    ("/home", "fuse.sshfs"),
    ("/home/anna", "xfs"),
    ("/mnt", "lustre"),
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/hosts", "ext4"),
        ("/data/mlruns/searches", "ext4"),
        ("/data/shared", "nfs4"),
        ("/data/shared/mlruns", "nfs4"),
        ("/data/shared-not", "ext4"),
        ("/home/berta/mlruns", "fuse.sshfs"),
        ("/home/anna/mlruns", "xfs"),
        ("/mnt/scratch", "lustre"),
    ],
)
def test_a_path_is_on_the_file_system_mounted_nearest_above_it(path, kind):
    assert file_system_of(Path(path), MOUNTS) == kind
    assert is_network(kind) == (kind in ("nfs4", "fuse.sshfs", "lustre"))


def test_this_machine_s_temporary_files_are_on_some_file_system(tmp_path):
    assert network_file_system(tmp_path / "not" / "there") is None


def test_who_was_taken_for_dead_can_not_write_any_more(record):
    record.begin_session("archsearch run", 1, 3)
    begin(record, trial(0))
    with Record.open(record.path) as other:
        other.begin_session("archsearch run", 1, 3)
        for write in (
            lambda: record.add_epoch(0, 0, epoch(1, 0.5)),
            lambda: record.end_session("finished", 1.0),
            lambda: record.put_judgements([], {}),
        ):
            with pytest.raises(SearchLocked, match=rf"taken over by process {os.getpid()} on ") as refused:
                write()
            assert refused.value.exit_code == 99
        other.add_epoch(0, 0, epoch(1, 0.4))
        assert other.trials()[0][0].runs[0].epochs == (epoch(1, 0.4),)
        assert [session.status for session in other.sessions()] == ["running", "running"]


def test_what_was_judged_is_not_stored_where_somebody_has_worked_on_since(record):
    begin(record, trial(0))
    revision = record.revision()
    begin(record, trial(1))
    record.put_judgements([trial(0, verdict="good")], {}, at=revision)
    assert record.trials()[0][0].verdict is None
    record.put_judgements([trial(0, verdict="good")], {}, at=record.revision())
    assert record.trials()[0][0].verdict == "good"


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_is_set_changes_no_session_s_length(record, monkeypatch, jump):
    record.begin_session("archsearch run", 1, 3)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    begin(record, trial(0))
    (session,) = record.sessions()
    assert 0 <= session.seconds < 60
    record.begin_session("archsearch run", 1, 3)
    assert [0 <= session.seconds < 60 for session in record.sessions()] == [True, True]
