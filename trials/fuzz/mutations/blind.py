"""Mutates bytes of any format."""

from random import Random
from typing import Literal

EXTREMES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFFFE,
)
HEADER_BYTES = 512
MAX_RUN_BYTES = 4096
BYTE_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")


def bits_flipped(chance: Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(chance.randint(1, 24)):
        if flipped:
            index = position(chance, flipped)
            flipped[index] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def run_overwritten(chance: Random, data: bytes) -> bytes:
    start, end = stretch(chance, data)
    return data[:start] + bytes([chance.randrange(256)]) * (end - start) + data[end:]


def noise_over(chance: Random, data: bytes) -> bytes:
    start, end = stretch(chance, data)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def noise_inserted(chance: Random, data: bytes) -> bytes:
    at = position(chance, data)
    return data[:at] + chance.randbytes(chance.randint(1, 64)) + data[at:]


def truncated(chance: Random, data: bytes) -> bytes:
    return data[: int(len(data) * chance.random())]


def cut_a_little_short(chance: Random, data: bytes) -> bytes:
    return data[: max(len(data) - chance.randint(1, 64), 0)]


def head_cut(chance: Random, data: bytes) -> bytes:
    return data[chance.randint(1, 200) :]


def stretch_removed(chance: Random, data: bytes) -> bytes:
    start, end = stretch(chance, data)
    return data[:start] + data[end:]


def stretch_doubled(chance: Random, data: bytes) -> bytes:
    start, end = stretch(chance, data)
    return data[:end] + data[start:end] * chance.randint(1, 8) + data[end:]


def stretches_swapped(chance: Random, data: bytes) -> bytes:
    first, second = sorted((stretch(chance, data), stretch(chance, data)))
    if first[1] > second[0]:
        return data[::-1]
    parts = (
        data[: first[0]],
        data[slice(*second)],
        data[first[1] : second[0]],
        data[slice(*first)],
        data[second[1] :],
    )
    return b"".join(parts)


def number_made_extreme(chance: Random, data: bytes) -> bytes:
    size = chance.choice((1, 2, 4))
    order = chance.choice(BYTE_ORDERS)
    at = position(chance, data)
    value = chance.choice(EXTREMES) & (1 << 8 * size) - 1
    return data[:at] + value.to_bytes(size, order) + data[at + size :]


def doubled(chance: Random, data: bytes) -> bytes:
    return data + data


def trailing(chance: Random, data: bytes) -> bytes:
    unit = chance.choice((bytes(1), b"\xff", chance.randbytes(1), b"PK\x03\x04"))
    return data + unit * chance.randint(1, 20_000)


def spliced(chance: Random, data: bytes, other_file: bytes) -> bytes:
    """The start of one file and the end of the other."""
    start = data[: position(chance, data)]
    return start + other_file[position(chance, other_file) :]


def position(chance: Random, data: bytes | bytearray) -> int:
    """A random position. Half of the time it is near the start, where headers are."""
    is_in_header = chance.random() < 0.5
    end = min(len(data), HEADER_BYTES) if is_in_header else len(data)
    return chance.randrange(max(end, 1))


def stretch(chance: Random, data: bytes) -> tuple[int, int]:
    """Start and end of a random stretch of the data."""
    start = position(chance, data)
    max_length = chance.choice((4, 32, MAX_RUN_BYTES))
    end = start + chance.randint(1, max_length)
    return start, min(end, len(data))


ALL = (
    bits_flipped,
    run_overwritten,
    noise_over,
    noise_inserted,
    truncated,
    cut_a_little_short,
    head_cut,
    stretch_removed,
    stretch_doubled,
    stretches_swapped,
    number_made_extreme,
    doubled,
    trailing,
)
