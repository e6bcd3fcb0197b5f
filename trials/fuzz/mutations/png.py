"""Mutations that know PNG: each chunk that they touch gets a sound check sum, so that a reader goes
on.
"""

from collections.abc import Callable
from functools import cache
from random import Random
from struct import pack, unpack_from
from zlib import compress, decompress, error

from trials.fuzz.adam7 import chunk
from trials.fuzz.mutations.blind import EXTREMES, bits_flipped

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunks = list[tuple[bytes, bytes]]
STRANGERS = (
    (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff"),
    (b"zTXt", b"Comment\0\0" + compress(bytes(1 << 22))),
    (b"iCCP", b"profile\0\0" + compress(bytes(1 << 16))),
    (b"acTL", b"\xff\xff\xff\xff\0\0\0\0"),
    (b"fcTL", bytes(26)),
    (b"PLTE", bytes(7)),
    (b"tRNS", bytes(300)),
    (b"IEND", b""),
    (b"\0\0\0\0", b""),
)
BOMB_BYTES = 1 << 26


def chunks(data: bytes) -> Chunks:
    """Names and contents, as far as they can be told."""
    found = []
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        size, name = unpack_from(">I4s", data, at)
        found.append((name, data[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def written(parts: Chunks) -> bytes:
    return SIGNATURE + b"".join(chunk(name, content) for name, content in parts)


def _edited(data: bytes, edited_name: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    return written(
        [
            (name, edit(content) if name == edited_name else content)
            for name, content in chunks(data)
        ]
    )


def header_changed(chance: Random, data: bytes) -> bytes:
    width, height = (
        chance.choice((*EXTREMES, 8, 96, 16_384, 6_324)) & 0xFFFFFFFF for _ in range(2)
    )
    kinds = (
        chance.choice((1, 2, 4, 8, 16, 3)),
        chance.choice((0, 2, 3, 4, 6, 7)),
        0,
        0,
        chance.choice((0, 1, 2)),
    )

    def edit(content: bytes) -> bytes:
        sides = chance.choice(
            (content[:8], pack(">II", width, height), content[:4] + pack(">I", height))
        )
        return sides + chance.choice((content[8:], bytes(kinds)))

    return _edited(data, b"IHDR", edit)


def size_said_larger(chance: Random, data: bytes) -> bytes:
    """Pixels that the data do not hold, within what is let in."""
    sides = pack(">II", chance.randint(97, 6000), chance.randint(97, 6000))
    return _edited(data, b"IHDR", lambda content: sides + content[8:])


def chunk_length_changed(chance: Random, data: bytes) -> bytes:
    places = [
        match
        for match in range(8, len(data) - 8)
        if data[match : match + 4] in (b"IDAT", b"PLTE", b"IEND")
    ]
    at = chance.choice(places or [8])
    return data[: at - 4] + pack(">I", chance.choice(EXTREMES)) + data[at:]


def chunk_removed(chance: Random, data: bytes) -> bytes:
    parts = chunks(data)
    at = chance.randrange(len(parts) + 1)
    return written(parts[:at] + parts[at + 1 :])


def chunks_shuffled(chance: Random, data: bytes) -> bytes:
    parts = chunks(data)
    chance.shuffle(parts)
    return written(parts)


def stranger_added(chance: Random, data: bytes) -> bytes:
    parts = chunks(data)
    parts.insert(chance.randrange(len(parts) + 1), chance.choice(STRANGERS))
    return written(parts)


def pixels_changed(chance: Random, data: bytes) -> bytes:
    """Filters and samples, compressed again: what is inside the stream is wrong, not the stream."""

    def edit(content: bytes) -> bytes:
        try:
            rows = decompress(content)
        except error:
            return content
        return compress(
            chance.choice(
                (rows[: len(rows) // 2], rows * 3, bits_flipped(chance, rows), b"")
            )
        )

    return _edited(data, b"IDAT", edit)


def bomb(chance: Random, data: bytes) -> bytes:
    return _edited(data, b"IDAT", lambda content: _swollen())


@cache
def _swollen() -> bytes:
    return compress(bytes(BOMB_BYTES))


ALL = (
    header_changed,
    size_said_larger,
    chunk_length_changed,
    chunk_removed,
    chunks_shuffled,
    stranger_added,
    pixels_changed,
    bomb,
)
