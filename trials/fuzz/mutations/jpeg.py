"""Mutations that know JPEG: frames, tables and scans."""

from random import Random
from struct import pack

from trials.fuzz.mutations.blind import EXTREMES

FRAMES = (0xC0, 0xC1, 0xC2)
TABLES = (0xC4, 0xDB, 0xDD)
SCAN = 0xDA
Segment = tuple[int, int]
"""Where a marker stands, and which."""


def segments(data: bytes) -> list[Segment]:
    """Markers before the first scan."""
    found = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        found.append((at, data[at + 1]))
        if data[at + 1] == SCAN:
            break
        at += 2 + max(int.from_bytes(data[at + 2 : at + 4]), 2)
    return found


def _random_segment(
    chance: Random, data: bytes, markers: tuple[int, ...] | None = None
) -> int:
    """Where one of these segments is."""
    places = [
        at for at, marker in segments(data) if markers is None or marker in markers
    ]
    return chance.choice(places or [2])


def frame_changed(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data, FRAMES)
    precision = chance.choice((8, 8, 8, 12, 16, 0))
    sides = [chance.choice((*EXTREMES, 8, 96, 6000, 16_384)) & 0xFFFF for _ in range(2)]
    header = pack(">BHHB", precision, *sides, chance.choice((1, 3, 4, 0, 255)))
    return data[: at + 4] + header[: chance.randint(1, 6)] + data[at + 4 + 6 :]


def size_said_larger(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data, FRAMES)
    return (
        data[: at + 5]
        + pack(">HH", chance.randint(97, 6000), chance.randint(97, 6000))
        + data[at + 9 :]
    )


def frame_kind_changed(chance: Random, data: bytes) -> bytes:
    """Baseline called progressive, lossless, arithmetic or JPEG-LS."""
    at = _random_segment(chance, data, FRAMES)
    return (
        data[: at + 1]
        + bytes([chance.choice((0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xF7))])
        + data[at + 2 :]
    )


def sampling_changed(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data, FRAMES) + 11
    return (
        data[:at]
        + bytes([chance.choice((0x00, 0x11, 0x44, 0xFF, 0x14, 0x41))])
        + data[at + 1 :]
    )


def table_changed(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data, TABLES) + 4
    return data[:at] + chance.randbytes(chance.randint(1, 24)) + data[at + 24 :]


def segment_length_changed(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data) + 2
    return data[:at] + pack(">H", chance.choice(EXTREMES) & 0xFFFF) + data[at + 2 :]


def segment_removed(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]


def segment_repeated(chance: Random, data: bytes) -> bytes:
    at = _random_segment(chance, data)
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
    return data[:end] + data[at:end] * chance.choice((1, 10, 3000)) + data[end:]


def scans_repeated(chance: Random, data: bytes) -> bytes:
    """A progressive file is decoded once for each scan."""
    at = _random_segment(chance, data, (SCAN,))
    return data[:-2] + data[at:-2] * chance.choice((1, 20, 200)) + data[-2:]


def odd_exif_added(chance: Random, data: bytes) -> bytes:
    content = (
        b"Exif\0\0"
        + chance.choice((b"MM\0*\0\0\0\x08", b"II*\0\xff\xff\xff\xff", b""))
        + chance.randbytes(40)
    )
    return data[:2] + b"\xff\xe1" + pack(">H", len(content) + 2) + content + data[2:]


ALL = (
    frame_changed,
    size_said_larger,
    frame_kind_changed,
    sampling_changed,
    table_changed,
    segment_length_changed,
    segment_removed,
    segment_repeated,
    scans_repeated,
    odd_exif_added,
)
