from pathlib import Path

import pytest

from shared.study.checkpoints import FolderCache
from shared.study.errors import OutputUnwritable


@pytest.fixture
def cache(tmp_path: Path) -> FolderCache:
    return FolderCache(tmp_path / "cache")


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_put_is_found_by_another_process(cache, tmp_path):
    cache.put("features/a/0.3/digest", b"vector")
    cache.put("../../etc/passwd", b"")
    reopened = FolderCache(tmp_path / "cache")
    assert reopened.get("features/a/0.3/digest") == b"vector"
    assert reopened.get("../../etc/passwd") == b""
    assert reopened.get("features/b") is None
    assert {path.parent.parent for path in entries(tmp_path)} == {tmp_path / "cache"}


def test_an_entry_is_replaced(cache):
    for content in (b"old", b"new"):
        cache.put("key", content)
    assert cache.get("key") == b"new"


@pytest.mark.parametrize("length", range(46))
def test_an_entry_cut_short_at_any_byte_counts_as_absent(cache, tmp_path, length):
    cache.put("key", b"vector")
    (entry,) = entries(tmp_path)
    assert entry.stat().st_size == 46
    entry.write_bytes(entry.read_bytes()[:length])
    assert cache.get("key") is None
    cache.put("key", b"vector")
    assert cache.get("key") == b"vector"


@pytest.mark.parametrize("position", [0, 31, 32, 39, 40, 45])
def test_an_entry_with_a_flipped_bit_counts_as_absent(cache, tmp_path, position):
    cache.put("key", b"vector")
    (entry,) = entries(tmp_path)
    content = bytearray(entry.read_bytes())
    content[position] ^= 1
    entry.write_bytes(content)
    assert cache.get("key") is None


def test_an_entry_under_another_keys_name_counts_as_absent(cache, tmp_path):
    cache.put("first", b"1")
    (first,) = entries(tmp_path)
    cache.put("second", b"2")
    (second,) = set(entries(tmp_path)) - {first}
    second.write_bytes(first.read_bytes())
    assert cache.get("second") is None


def test_nothing_is_left_beside_the_entries(cache, tmp_path):
    for number in range(3):
        cache.put(f"key {number}", b"vector")
    assert len(entries(tmp_path)) == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputUnwritable, match="choose another folder"):
        FolderCache(tmp_path / "cache").put("key", b"vector")
    with pytest.raises(OutputUnwritable, match="choose another folder"):
        FolderCache(tmp_path / "cache").check_writable()


def test_a_writable_place_is_tried_without_a_trace(cache, tmp_path):
    cache.check_writable()
    assert entries(tmp_path) == []
