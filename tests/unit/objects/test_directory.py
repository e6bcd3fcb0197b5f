import errno
import io
import os

import pytest

from shared.errors import StorageFull
from shared.objects.directory import PARTIAL_SUFFIX, DirectoryStore
from shared.objects.errors import KeyInvalid, ObjectMissing, ObjectsUnavailable


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "store")


def write(store, key, value):
    store.write(key, io.BytesIO(value), len(value))


def partial_files(store):
    return list((store.root / PARTIAL_SUFFIX).iterdir())


def test_no_partial_file_stays_after_a_write(store):
    write(store, "a/b", b"value")
    assert partial_files(store) == []
    assert store.read("a/b") == b"value"


def test_a_source_that_ends_early_leaves_the_old_value_and_no_partial_file(store):
    write(store, "a", b"old")
    with pytest.raises(EOFError, match="2 bytes early"):
        store.write("a", io.BytesIO(b"new"), 5)
    assert store.read("a") == b"old"
    assert partial_files(store) == []


def test_a_reader_keeps_the_value_it_opened(store):
    write(store, "a", b"old")
    with store.open("a") as stream:
        write(store, "a", b"new")
        assert stream.read() == b"old"
    assert store.read("a") == b"new"


def test_only_the_owner_may_read_values(store):
    write(store, "a", b"value")
    assert (store.root / "a").stat().st_mode & 0o077 == 0


def test_files_that_are_no_keys_are_not_listed(store):
    write(store, "a", b"value")
    (store.root / ".DS_Store").touch()
    (store.root / "lost+found").mkdir()
    assert list(store.keys()) == ["a"]


def test_a_folder_is_no_value(store):
    write(store, "a/b", b"value")
    assert not store.exists("a")
    for key in ("a", "a/b/c"):
        with pytest.raises(ObjectMissing):
            store.read(key)


def test_a_key_that_would_need_a_value_as_its_folder_is_refused_as_unusable(store):
    write(store, "a", b"value")
    with pytest.raises(ObjectsUnavailable):
        write(store, "a/b", b"value")
    assert partial_files(store) == []


def test_no_key_reaches_outside(store):
    with pytest.raises(KeyInvalid):
        write(store, "../outside", b"value")
    assert not (store.root.parent / "outside").exists()


def test_a_full_disk_has_its_own_error(store, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(
        StorageFull, match="no room left where SERA keeps images"
    ) as raised:
        write(store, "a", b"value")
    assert raised.value.retryable
    assert partial_files(store) == []


def test_the_error_of_an_unusable_root_does_not_show_its_path(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ObjectsUnavailable) as raised:
        DirectoryStore(tmp_path / "file" / "store")
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize("replacement", ["nothing", "a file", "an empty folder"])
def test_a_lost_root_makes_the_store_unavailable_and_no_value_missing(
    store, replacement
):
    write(store, "a", b"value")
    lost_root = store.root.rename(store.root.with_name("lost"))
    if replacement == "a file":
        store.root.touch()
    elif replacement == "an empty folder":
        store.root.mkdir()
    with pytest.raises(ObjectsUnavailable):
        store.read("a")
    with pytest.raises(ObjectsUnavailable):
        store.exists("a")
    if replacement == "a file":
        store.root.unlink()
    elif replacement == "an empty folder":
        store.root.rmdir()
    lost_root.rename(store.root)
    assert store.read("a") == b"value"
