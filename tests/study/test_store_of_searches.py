import contextlib
import json
import os
import subprocess
import sys

import pytest
from made_up import recorded, space

from archsearch.errors import SearchConflict, SearchLocked, SearchNotFound, StoreError
from archsearch.study import Place, Record, Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "mlruns")
    store.prepare()
    return store


def add(store, of, id_=None, created_at=1_000.0):
    id_ = id_ or f"{of.name}-{of.fingerprint}"
    recorded(store.path / "searches" / id_, of, id_=id_, created_at=created_at).close()
    return id_


@contextlib.contextmanager
def held_by_another_process(place):
    code = (
        "import sys, pathlib; from archsearch.study import Place; "
        "lock = Place(pathlib.Path(sys.argv[1])).lock(); print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(place.folder)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.communicate(b"")


def test_a_store_is_made_with_its_ignore_rules_and_kept_as_it_is_found(store):
    assert (store.path / ".gitignore").read_text()
    (store.path / ".gitignore").write_text("mine")
    store.prepare()
    assert (store.path / ".gitignore").read_text() == "mine"


def test_a_folder_with_something_else_in_it_is_not_hidden_from_git(tmp_path):
    (tmp_path / "train.py").write_text("mine")
    Store(tmp_path).prepare()
    assert not (tmp_path / ".gitignore").exists()
    (tmp_path / "empty").mkdir()
    Store(tmp_path / "empty").prepare()
    assert (tmp_path / "empty" / ".gitignore").is_file()


def test_a_folder_with_nothing_but_the_logs_of_jobs_is_hidden_from_git(tmp_path):
    """cron's line makes them before archsearch starts."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "nightly.log").touch()
    Store(tmp_path).prepare()
    assert (tmp_path / ".gitignore").is_file()


def test_a_store_that_can_not_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't be written"):
        Store(tmp_path / "file").prepare()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_permission_to_write_is_refused(store):
    (store.path / "searches").chmod(0o500)
    with pytest.raises(StoreError, match="permission denied"):
        store.prepare()


def test_a_search_is_found_by_id_name_folder_and_record(store):
    id_ = add(store, space())
    folder = store.path / "searches" / id_
    found = [store.find(str(word)) for word in (id_, "made-up", folder, folder / "record.sqlite")]
    assert {place.folder for place in found} == {folder}
    assert found[0].id == id_


def test_the_newest_search_of_a_name_is_found_not_that_of_a_longer_name(store):
    add(store, space(), "made-up-zzz", created_at=1.0)
    newest = add(store, space(search={"seed": 1}), "made-up-aaa", created_at=3.0)
    add(store, space(name="made-up-too"), created_at=5.0)
    assert store.find("made-up").id == newest


def test_an_unknown_search_is_refused_with_those_there_are(store):
    with pytest.raises(SearchNotFound, match="which has none yet"):
        store.find("digits")
    id_ = add(store, space())
    with pytest.raises(SearchNotFound, match=f"no search 'digits' in store .*there are: {id_}"):
        store.find("digits")


def test_the_first_search_of_a_space_gets_a_place_of_its_name_and_fingerprint(store):
    place = store.place_for(space(), new=False)
    assert place.id == f"made-up-{space().fingerprint}"
    assert not place.folder.exists()


def test_the_same_space_finds_its_search_again_whatever_its_trials(store):
    id_ = add(store, space())
    assert store.place_for(space(search={"trials": 99}), new=False).id == id_


def test_a_search_whose_fingerprint_another_version_computed_is_found_by_its_words(store):
    id_ = add(store, space(), "made-up-01234567")
    with Record.open(store.find(id_).record) as record:
        record._db.execute("UPDATE search SET value = '\"01234567\"' WHERE key = 'fingerprint'")
    assert store.place_for(space(), new=False).id == id_


def wider(**words):
    return space(families={"dense": {"depth": {"low": 1, "high": 9}, "narrowest": 8, "widest": 64}}, **words)


def test_a_space_that_can_not_be_mixed_is_refused_with_the_words_that_differ_also_to_go_on_with(store):
    id_ = add(store, space())
    for continue_ in (False, True):
        with pytest.raises(SearchConflict, match=id_) as error:
            store.place_for(
                space(search={"seed": 3, "sampler": "random"}, data="mnist"), new=False, continue_=continue_
            )
        text = str(error.value)
        refused, allowed = text.split("what else differs may change")
        assert "  data.source: digits → mnist\n  search.seed: 0 → 3\n" in refused
        assert "  search.sampler: tpe → random\n" in allowed
        assert "--new" in text
        assert "--continue" not in text


def test_an_edited_space_is_refused_with_what_changed_until_it_is_to_be_gone_on_with(store):
    id_ = add(store, space())
    with pytest.raises(SearchConflict, match=r"go on with --continue, or --new") as error:
        store.place_for(wider(), new=False)
    assert "\n  families.dense.depth: 1 to 6 → 1 to 9\n" in str(error.value)
    assert "\n  families.cnn: removed\n" in str(error.value)
    assert store.place_for(wider(), new=False, continue_=True).id == id_


def test_of_several_searches_the_newest_is_gone_on_with_whose_edit_is_allowed(store):
    add(store, space(constraints={"parameters": 100}), "made-up-old", created_at=1.0)
    add(store, space(constraints={"parameters": 200}), "made-up-newer", created_at=2.0)
    add(store, space(training={"epochs": 99}), "made-up-newest", created_at=3.0)
    assert store.place_for(space(), new=False, continue_=True).id == "made-up-newer"
    with pytest.raises(SearchConflict, match="made-up-newer, of which this is an edited space"):
        store.place_for(space(), new=False)
    unchanged = add(store, space(), "made-up-oldest", created_at=0.0)
    assert store.place_for(space(), new=False, continue_=True).id == unchanged


def test_to_go_on_where_there_is_no_search_begins_one(store):
    assert store.place_for(space(), new=False, continue_=True).id == f"made-up-{space().fingerprint}"


def test_a_space_whose_words_this_version_does_not_know_is_not_gone_on_with(store):
    id_ = add(store, space())
    with Record.open(store.find(id_).record) as record:
        words = json.dumps(record.header().space | {"fairness": 3})
        record._db.execute("UPDATE search SET value = ? WHERE key = 'space'", (words,))
        identity = json.dumps(record.header().identity | {"fairness": 3})
        record._db.execute("UPDATE search SET value = ? WHERE key = 'identity'", (identity,))
        record._db.execute("UPDATE search SET value = '\"01234567\"' WHERE key = 'fingerprint'")
    with pytest.raises(SearchConflict, match="fairness: 3 → none"):
        store.place_for(space(), new=False, continue_=True)


def test_a_new_search_never_takes_the_place_of_another(store):
    taken = set()
    for _ in range(3):
        place = store.place_for(space(), new=True)
        assert place.id not in taken
        taken.add(add(store, space(), place.id))
    assert len(store.searches()) == 3


def test_of_several_searches_of_one_space_the_newest_is_gone_on_with(store):
    add(store, space(), created_at=1.0)
    newest = add(store, space(), store.place_for(space(), new=True).id, created_at=2.0)
    assert store.place_for(space(), new=False).id == newest


def test_a_record_that_is_still_being_made_is_no_search(store):
    folder = store.path / "searches" / "made-up-1"
    folder.mkdir()
    (folder / "unfinished-1.sqlite").write_bytes(b"")
    assert store.searches() == []


def test_a_search_held_by_another_process_is_locked_and_free_when_that_ends(store):
    place = store.find(add(store, space()))
    with held_by_another_process(place) as process:
        assert process.poll() is None
        assert place.standing("running") == "running"
        told = rf"{place.id} is being run .*\(process {process.pid} on .*since"
        with pytest.raises(SearchLocked, match=told):
            place.lock()
    assert place.standing("running") == "interrupted"
    place.lock().release()


def test_a_holder_that_is_killed_holds_nothing(store):
    place = store.place_for(space(), new=False)
    with held_by_another_process(place) as process:
        process.kill()
        process.wait()
        place.lock().release()


def test_a_place_can_be_locked_before_it_has_a_record(store):
    place = store.place_for(space(), new=False)
    lock = place.lock()
    assert place.folder.is_dir()
    lock.release()


def test_a_place_in_a_folder_that_is_gone_can_not_be_locked(tmp_path):
    with pytest.raises(StoreError, match="can't be written"):
        Place(tmp_path / "gone" / "search").lock()
