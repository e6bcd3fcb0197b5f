"""Mutations that know TIFF: the entries of a directory, and the chain of directories."""

from collections.abc import Callable
from random import Random
from struct import error, pack, pack_into, unpack_from

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
COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 50000, 0)
SIZES = (256, 257, 278, 322, 323)


def _directory(data: bytes) -> tuple[str, int, int]:
    """Byte order, and where the first directory begins and how many entries it has."""
    order = ">" if data.startswith(b"MM") else "<"
    try:
        (at,) = unpack_from(f"{order}I", data, 4)
        (count,) = unpack_from(f"{order}H", data, at)
    except error:
        return order, 0, 0
    return order, at, min(count, (len(data) - at - 2) // 12)


def _entry_edited(
    chance: Random,
    data: bytes,
    edit: Callable[[str, bytearray], None],
    tags: tuple = (),
) -> bytes:
    order, at, count = _directory(data)
    places = [at + 2 + 12 * index for index in range(count)]
    wanted = [
        place
        for place in places
        if not tags or unpack_from(f"{order}H", data, place)[0] in tags
    ] or places
    if not wanted:
        return data
    place = chance.choice(wanted)
    entry = bytearray(data[place : place + 12])
    edit(order, entry)
    return data[:place] + bytes(entry) + data[place + 12 :]


def tag_changed(chance: Random, data: bytes) -> bytes:
    return _entry_edited(
        chance,
        data,
        lambda order, entry: pack_into(f"{order}H", entry, 0, chance.choice(TAGS)),
    )


def kind_changed(chance: Random, data: bytes) -> bytes:
    return _entry_edited(
        chance,
        data,
        lambda order, entry: pack_into(f"{order}H", entry, 2, chance.randrange(20)),
    )


def count_changed(chance: Random, data: bytes) -> bytes:
    return _entry_edited(
        chance,
        data,
        lambda order, entry: pack_into(f"{order}I", entry, 4, chance.choice(EXTREMES)),
    )


def value_changed(chance: Random, data: bytes) -> bytes:
    return _entry_edited(
        chance,
        data,
        lambda order, entry: pack_into(f"{order}I", entry, 8, chance.choice(EXTREMES)),
    )


def value_moved(chance: Random, data: bytes) -> bytes:
    return _entry_edited(
        chance,
        data,
        lambda order, entry: pack_into(f"{order}I", entry, 8, chance.randrange(40_000)),
    )


def size_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        entry[2:] = pack(
            f"{order}HII",
            4,
            1,
            chance.choice((1, 7, 97, 5000, 16_384, 16_385, 0, 0xFFFFFFFF)),
        )

    return _entry_edited(chance, data, edit, SIZES)


def compression_changed(chance: Random, data: bytes) -> bytes:
    def edit(order: str, entry: bytearray) -> None:
        entry[2:] = pack(f"{order}HIHH", 3, 1, chance.choice(COMPRESSIONS), 0)

    return _entry_edited(chance, data, edit, (259,))


def chain_looped(chance: Random, data: bytes) -> bytes:
    order, at, count = _directory(data)
    link = at + 2 + 12 * count
    return (
        data[:link]
        + pack(f"{order}I", chance.choice((at, 8, len(data) - 2, 0xFFFFFFFF)))
        + data[link + 4 :]
    )


def directory_moved(chance: Random, data: bytes) -> bytes:
    order = ">" if data.startswith(b"MM") else "<"
    return (
        data[:4]
        + pack(f"{order}I", chance.choice((0, 1, 4, len(data), 0xFFFFFFFF)))
        + data[8:]
    )


def entry_count_changed(chance: Random, data: bytes) -> bytes:
    order, at, _ = _directory(data)
    return (
        data[:at]
        + pack(f"{order}H", chance.choice((0, 1, 3, 200, 0xFFFF)))
        + data[at + 2 :]
    )


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
