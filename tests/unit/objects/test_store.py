import hashlib
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import TooLarge
from shared.objects import (
    KeyInvalid,
    ObjectCorrupt,
    ObjectMissing,
    ObjectStore,
    StoredObject,
)
from shared.objects.directory import DirectoryStore
from shared.objects.store import CHUNK_BYTES

IMAGE = b"a nodule"
DIGEST = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "objects-root"


@pytest.fixture
def objects(root):
    return ObjectStore(DirectoryStore(root))


def file_of(root, digest=DIGEST):
    return root / "objects" / digest[:2] / digest[2:4] / digest


def test_an_object_is_named_by_its_hash(objects):
    assert objects.put(IMAGE) == StoredObject(DIGEST, len(IMAGE))
    assert objects.get(DIGEST) == IMAGE


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=4000))
def test_bytes_and_streams_are_stored_alike(objects, data):
    assert objects.put(data) == objects.put(io.BytesIO(data))
    assert objects.get(hashlib.sha256(data).hexdigest()) == data


def test_an_object_larger_than_the_memory_buffer_is_streamed(objects):
    data = bytes(range(256)) * (9 * CHUNK_BYTES // 256) + b"end"
    stored = objects.put(io.BytesIO(data))
    target = io.BytesIO()
    assert objects.copy_to(stored.sha256, target) == stored.size == len(data)
    assert target.getvalue() == data


def test_put_again_writes_nothing(objects, root):
    objects.put(IMAGE)
    first = file_of(root).stat()
    objects.put(IMAGE)
    second = file_of(root).stat()
    assert second.st_ino == first.st_ino
    assert second.st_mtime_ns == first.st_mtime_ns


def test_a_stream_is_put_from_its_current_position(objects):
    stream = io.BytesIO(b"header" + IMAGE)
    stream.seek(6)
    assert objects.put(stream).sha256 == DIGEST


def test_the_cap_itself_is_allowed(objects):
    assert objects.put(IMAGE, max_bytes=len(IMAGE)).size == len(IMAGE)


def test_past_the_cap_nothing_is_stored_and_reading_stops(objects):
    class Endless(io.RawIOBase):
        bytes_read = 0

        def read(self, size=-1):
            self.bytes_read += size
            return b"x" * size

    source = Endless()
    with pytest.raises(TooLarge, match="larger than 2 MiB"):
        objects.put(source, max_bytes=2 * CHUNK_BYTES)
    assert source.bytes_read == 3 * CHUNK_BYTES
    assert not objects.exists(hashlib.sha256(b"x" * 2 * CHUNK_BYTES).hexdigest())


def test_an_upload_that_breaks_off_leaves_nothing(objects, root):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        objects.put(Broken())
    assert [path for path in root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "read",
    [
        lambda objects: objects.get(DIGEST),
        lambda objects: objects.copy_to(DIGEST, io.BytesIO()),
    ],
)
def test_a_changed_object_is_corrupt(objects, root, read):
    objects.put(IMAGE)
    file_of(root).write_bytes(b"another nodule")
    with pytest.raises(ObjectCorrupt, match=DIGEST):
        read(objects)


def test_a_deleted_object_is_missing_and_can_be_put_again(objects):
    objects.put(IMAGE)
    objects.delete(DIGEST)
    assert not objects.exists(DIGEST)
    with pytest.raises(ObjectMissing, match=DIGEST):
        objects.get(DIGEST)
    objects.put(IMAGE)
    assert objects.get(DIGEST) == IMAGE


@pytest.mark.parametrize(
    "digest", ["", "abc", "../" * 20 + "etc/passwd", DIGEST.upper(), DIGEST + "0"]
)
def test_text_that_is_no_hash_is_refused(objects, digest):
    with pytest.raises(KeyInvalid):
        objects.get(digest)


def test_a_cache_entry_is_found_by_name_and_replaced(objects):
    assert objects.get_named("features/vgg16") is None
    objects.put_named("features/vgg16", b"one")
    objects.put_named("features/vgg16", b"two")
    assert objects.get_named("features/vgg16") == b"two"


def test_a_cache_entry_cannot_pose_as_an_object(objects):
    with pytest.raises(KeyInvalid):
        objects.put_named(f"../objects/{DIGEST}", b"poison")


def test_with_overwrite_an_existing_object_is_written_again(objects, root):
    objects.put(IMAGE)
    inode = file_of(root).stat().st_ino
    objects.put(IMAGE)
    assert file_of(root).stat().st_ino == inode
    stored = objects.put(IMAGE, overwrite=True)
    assert stored == StoredObject(DIGEST, len(IMAGE))
    assert file_of(root).stat().st_ino != inode
    assert objects.get(DIGEST) == IMAGE
