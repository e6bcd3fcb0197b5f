"""Mutates TIFF files: the entries of a directory, and the chain of directories."""

from collections.abc import Callable, Container
from random import Random
from struct import error, pack, pack_into, unpack_from
from typing import NamedTuple

from trials.fuzz.mutations.blind import EXTREMES

TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    324,
    325,
    338,
    339,
    34665,
)
ENTRY_BYTES = 12
COMPRESSION_TAG = 259
COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 50000, 0)
SIZE_TAGS = (256, 257, 278, 322, 323)


class Directory(NamedTuple):
    """The first directory of a TIFF file."""

    order: str
    """The byte order as `struct` writes it."""
    offset: int
    count_entries: int


def _directory(data: bytes) -> Directory:
    order = _byte_order(data)
    try:
        (offset,) = unpack_from(f"{order}I", data, 4)
        (count,) = unpack_from(f"{order}H", data, offset)
    except error:
        return Directory(order, offset=0, count_entries=0)
    max_count = (len(data) - offset - 2) // ENTRY_BYTES
    return Directory(order, offset=offset, count_entries=min(count, max_count))


def _byte_order(data: bytes) -> str:
    return ">" if data.startswith(b"MM") else "<"


def _edit_entry(
    chance: Random,
    data: bytes,
    edit: Callable[[str, bytearray], None],
    tags: Container[int] = (),
) -> bytes:
    """Edit a random entry of the first directory, one with these tags if there is one.

    `edit` gets the byte order and the twelve bytes of the entry.
    """
    directory = _directory(data)
    first = directory.offset + 2
    offsets = [first + ENTRY_BYTES * index for index in range(directory.count_entries)]
    tagged_offsets = [
        offset
        for offset in offsets
        if unpack_from(f"{directory.order}H", data, offset)[0] in tags
    ]
    candidates = tagged_offsets or offsets
    if not candidates:
        return data
    start = chance.choice(candidates)
    end = start + ENTRY_BYTES
    entry = bytearray(data[start:end])
    edit(directory.order, entry)
    return data[:start] + bytes(entry) + data[end:]


def tag_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        pack_into(f"{order}H", entry, 0, chance.choice(TAGS))

    return _edit_entry(chance, data, edit)


def kind_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        pack_into(f"{order}H", entry, 2, chance.randrange(20))

    return _edit_entry(chance, data, edit)


def count_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        pack_into(f"{order}I", entry, 4, chance.choice(EXTREMES))

    return _edit_entry(chance, data, edit)


def value_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        pack_into(f"{order}I", entry, 8, chance.choice(EXTREMES))

    return _edit_entry(chance, data, edit)


def value_moved(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        pack_into(f"{order}I", entry, 8, chance.randrange(40_000))

    return _edit_entry(chance, data, edit)


def size_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        size = chance.choice((1, 7, 97, 5000, 16_384, 16_385, 0, 0xFFFFFFFF))
        entry[2:] = pack(f"{order}HII", 4, 1, size)

    return _edit_entry(chance, data, edit, SIZE_TAGS)


def compression_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        entry[2:] = pack(f"{order}HIHH", 3, 1, chance.choice(COMPRESSIONS), 0)

    return _edit_entry(chance, data, edit, (COMPRESSION_TAG,))


def chain_looped(chance: Random, data: bytes) -> bytes:
    """Change the offset of the next directory, which follows the entries of the first."""
    directory = _directory(data)
    link = directory.offset + 2 + ENTRY_BYTES * directory.count_entries
    target = chance.choice((directory.offset, 8, len(data) - 2, 0xFFFFFFFF))
    return data[:link] + pack(f"{directory.order}I", target) + data[link + 4 :]


def directory_moved(chance: Random, data: bytes) -> bytes:
    offset = chance.choice((0, 1, 4, len(data), 0xFFFFFFFF))
    return data[:4] + pack(f"{_byte_order(data)}I", offset) + data[8:]


def entry_count_changed(chance: Random, data: bytes) -> bytes:
    directory = _directory(data)
    count = pack(f"{directory.order}H", chance.choice((0, 1, 3, 200, 0xFFFF)))
    return data[: directory.offset] + count + data[directory.offset + 2 :]


def byte_order_swapped(chance: Random, data: bytes) -> bytes:
    return (b"MM\0*" if data.startswith(b"II") else b"II*\0") + data[4:]


ALL = (
    tag_changed,
    kind_changed,
    count_changed,
    value_changed,
    value_moved,
    size_changed,
    compression_changed,
    chain_looped,
    directory_moved,
    entry_count_changed,
    byte_order_swapped,
)
