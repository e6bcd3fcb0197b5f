"""The contract of every key store."""

import io

import pytest

from shared.objects.errors import KeyInvalid, ObjectMissing

LARGE = bytes(range(256)) * (20 * 2**20 // 256) + b"and a tail"
"""More than one part of an S3 upload."""


def write(store, key, value):
    store.write(key, io.BytesIO(value), len(value))


@pytest.mark.parametrize(
    "value", [b"", b"value", LARGE], ids=["empty", "small", "large"]
)
def test_a_written_value_is_read_back(store, value):
    write(store, "folder/key", value)
    assert store.exists("folder/key")
    assert store.read("folder/key") == value


def test_only_the_announced_size_is_read(store):
    source = io.BytesIO(b"first|value|last")
    source.seek(6)
    store.write("key", source, 5)
    assert store.read("key") == b"value"


def test_a_value_is_replaced(store):
    write(store, "key", b"a longer first value")
    write(store, "key", b"second")
    assert store.read("key") == b"second"


def test_a_value_is_streamed(store):
    write(store, "key", LARGE)
    with store.open("key") as stream:
        assert stream.read(1000) == LARGE[:1000]
        assert stream.read(1000) == LARGE[1000:2000]


def test_an_empty_store_has_no_key(store):
    assert not store.exists("key")
    assert list(store.keys()) == []
    store.delete("key")
    with pytest.raises(ObjectMissing, match="key"):
        store.read("key")


def test_a_missing_key_is_missing_beside_other_values(store):
    write(store, "other", b"value")
    assert not store.exists("key")
    with pytest.raises(ObjectMissing), store.open("key"):
        pass


def test_a_deleted_value_is_gone_and_deleting_again_is_no_error(store):
    write(store, "key", b"value")
    store.delete("key")
    store.delete("key")
    assert not store.exists("key")


def test_keys_are_listed_in_order_for_any_prefix(store):
    for key in ("named/b", "named/a", "named/ab/c", "objects/a", "top"):
        write(store, key, b"value")
    assert list(store.keys()) == [
        "named/a",
        "named/ab/c",
        "named/b",
        "objects/a",
        "top",
    ]
    assert list(store.keys("named/")) == ["named/a", "named/ab/c", "named/b"]
    assert list(store.keys("named/a")) == ["named/a", "named/ab/c"]
    assert list(store.keys("nothing/")) == []


@pytest.mark.parametrize("key", ["", "../key", "/key", "a//b", ".partial/x"])
def test_an_unsafe_key_is_refused_by_every_call(store, key):
    calls = [
        lambda: write(store, key, b"value"),
        lambda: store.read(key),
        lambda: store.exists(key),
        lambda: store.delete(key),
    ]
    for call in calls:
        with pytest.raises(KeyInvalid):
            call()
