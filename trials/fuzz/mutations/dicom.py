"""Mutations that know DICOM: elements of an explicit, little endian data set, and the transfer
syntax.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from struct import pack, unpack_from

from pydicom.uid import DeflatedExplicitVRLittleEndian

from trials.fuzz.mutations.blind import EXTREMES, bits_flipped, number_made_extreme

LONG = {
    b"OB",
    b"OW",
    b"OF",
    b"OD",
    b"SQ",
    b"UN",
    b"UT",
    b"UC",
    b"UR",
    b"OL",
    b"OV",
    b"SV",
    b"UV",
}
VRS = (
    b"US",
    b"SS",
    b"UL",
    b"SL",
    b"OB",
    b"OW",
    b"SQ",
    b"UN",
    b"IS",
    b"DS",
    b"FD",
    b"AT",
    b"CS",
    b"PN",
    b"??",
    b"\0\0",
)
META_END = b"\x08\x00"
ITEM = b"\xfe\xff\x00\xe0"
PIXELS = b"\xe0\x7f\x10\x00"
SYNTAX = b"\x02\x00\x10\x00"
FRAMES = b"\x28\x00\x08\x00"
PHOTOMETRIC = b"\x28\x00\x04\x00"
NUMBERS = tuple(
    b"\x28\x00" + bytes([low, high])
    for low, high in ((2, 0), (6, 0), (16, 0), (17, 0), (0, 1), (1, 1))
)
NUMBERS = (*NUMBERS, b"\x28\x00\x02\x01", b"\x28\x00\x03\x01")
"""Samples, planes, rows, columns, bits allocated and stored, high bit, sign."""
SYNTAXES = (
    *(
        b"1.2.840.10008.1.2",
        b"1.2.840.10008.1.2.1",
        b"1.2.840.10008.1.2.2",
        b"1.2.840.10008.1.2.1.99",
    ),
    *(
        b"1.2.840.10008.1.2.5",
        b"1.2.840.10008.1.2.4.50",
        b"1.2.840.10008.1.2.4.51",
        b"1.2.840.10008.1.2.4.57",
    ),
    *(
        b"1.2.840.10008.1.2.4.70",
        b"1.2.840.10008.1.2.4.80",
        b"1.2.840.10008.1.2.4.90",
        b"1.2.840.10008.1.2.4.91",
    ),
    *(b"1.2.840.10008.1.2.4.100", b"1.2.840.10008.1.2.4.201", b"1.2.3", b""),
)
PHOTOMETRICS = (
    b"MONOCHROME1 ",
    b"RGB ",
    b"PALETTE COLOR ",
    b"YBR_FULL",
    b"YBR_FULL_422",
    b"YBR_ICT ",
    b"YBR_RCT ",
    b"X ",
)
DEPTH = 3000
BOMB_BYTES = 1 << 26


@dataclass(frozen=True)
class Element:
    """An element's place in a file."""

    at: int
    value_at: int
    end: int
    tag: bytes


def elements(data: bytes) -> Iterator[Element]:
    """Those of the top level, as far as they can be told."""
    at = 132
    while at + 8 <= len(data):
        vr = data[at + 4 : at + 6]
        if not (vr.isalpha() and vr.isupper()):
            return
        head = 12 if vr in LONG else 8
        if at + head > len(data):
            return
        (size,) = (
            unpack_from("<I", data, at + 8)
            if vr in LONG
            else unpack_from("<H", data, at + 6)
        )
        end = len(data) if size == 0xFFFFFFFF else min(at + head + size, len(data))
        yield Element(at, at + head, end, data[at : at + 4])
        at = end


def _random_element(
    chance: Random, data: bytes, tags: tuple[bytes, ...] = ()
) -> Element:
    all_elements = list(elements(data))
    return chance.choice(
        [element for element in all_elements if element.tag in tags]
        or all_elements
        or [Element(0, 0, 0, b"")]
    )


def _valued(data: bytes, element: Element, value: bytes) -> bytes:
    """With another value and the length that belongs to it."""
    head = data[element.at : element.value_at]
    size = (
        pack("<I", len(value)) if len(head) == 12 else pack("<H", len(value) & 0xFFFF)
    )
    return (
        data[: element.at]
        + head[: len(head) - len(size)]
        + size
        + value
        + data[element.end :]
    )


def number_changed(chance: Random, data: bytes) -> bytes:
    value = (
        chance.choice((*EXTREMES, 3, 8, 12, 16, 17, 32, 64, 95, 97, 1000, 6000))
        & 0xFFFF
    )
    return _valued(
        data,
        _random_element(chance, data, NUMBERS),
        pack("<H", value) * chance.choice((1, 1, 1, 2, 0)),
    )


def frames_changed(chance: Random, data: bytes) -> bytes:
    count = chance.choice(
        (
            b"0 ",
            b"-1",
            b"2 ",
            b"30",
            b"1e9 ",
            b"999999999999",
            b"1\\2 ",
            b"x ",
            b"",
            b"2147483648",
        )
    )
    added = b"\x28\x00\x08\x00IS" + pack("<H", len(count)) + count
    frame_elements = [element for element in elements(data) if element.tag == FRAMES]
    if frame_elements:
        return _valued(data, frame_elements[0], count)
    at = _random_element(chance, data, (b"\x28\x00\x10\x00",)).at
    return data[:at] + added + data[at:]


def photometric_changed(chance: Random, data: bytes) -> bytes:
    return _valued(
        data, _random_element(chance, data, (PHOTOMETRIC,)), chance.choice(PHOTOMETRICS)
    )


def syntax_swapped(chance: Random, data: bytes) -> bytes:
    syntax = chance.choice(SYNTAXES)
    return _valued(
        data, _random_element(chance, data, (SYNTAX,)), syntax + bytes(len(syntax) % 2)
    )


def vr_changed(chance: Random, data: bytes) -> bytes:
    element = _random_element(chance, data)
    return data[: element.at + 4] + chance.choice(VRS) + data[element.at + 6 :]


def length_changed(chance: Random, data: bytes) -> bytes:
    element = _random_element(chance, data)
    size = (
        pack("<I", chance.choice(EXTREMES))
        if element.value_at - element.at == 12
        else chance.randbytes(2)
    )
    return data[: element.value_at - len(size)] + size + data[element.value_at :]


def tag_changed(chance: Random, data: bytes) -> bytes:
    element = _random_element(chance, data)
    tags = (
        *NUMBERS,
        PIXELS,
        FRAMES,
        b"\x18\x00\x11\x60",
        b"\x28\x00\x01\x11",
        b"\x28\x00\x01\x12",
        chance.randbytes(4),
    )
    return data[: element.at] + chance.choice(tags) + data[element.at + 4 :]


def element_removed(chance: Random, data: bytes) -> bytes:
    element = _random_element(chance, data)
    return data[: element.at] + data[element.end :]


def element_doubled(chance: Random, data: bytes) -> bytes:
    element = _random_element(chance, data)
    return data[: element.end] + data[element.at : element.end] + data[element.end :]


def value_replaced(chance: Random, data: bytes) -> bytes:
    """Not of the pixels, whose bytes the blind mutations spoil."""
    element = _random_element(
        chance, data, tuple({candidate.tag for candidate in elements(data)} - {PIXELS})
    )
    value = chance.choice(
        (
            b"",
            b"\0" * 2,
            b"\\" * 8,
            "é\u2028".encode() + b" ",
            chance.randbytes(64),
            b"9" * 1000,
        )
    )
    return _valued(data, element, value)


def pixels_shortened(chance: Random, data: bytes) -> bytes:
    """Fewer pixels than rows and columns need, in an element that is sound in itself."""
    element = _random_element(chance, data, (PIXELS,))
    size = int((element.end - element.value_at) * chance.random()) // 2 * 2
    return _valued(data, element, data[element.value_at : element.value_at + size])


def nested_deeply(chance: Random, data: bytes) -> bytes:
    """Sequences in sequences, of undefined length."""
    element = _random_element(chance, data)
    opened = b"\x18\x00\x11\x60SQ\0\0\xff\xff\xff\xff" + ITEM + b"\xff\xff\xff\xff"
    return (
        data[: element.at] + opened * chance.choice((1, 50, DEPTH)) + data[element.at :]
    )


def meta_changed(chance: Random, data: bytes) -> bytes:
    end = data.find(META_END, 132)
    return data[:132] + number_made_extreme(chance, data[132:end]) + data[end:]


def inflated_changed(chance: Random, data: bytes) -> bytes:
    """A deflated data set that is mutated inside, or one that unfolds without end."""
    syntax = next(
        (element for element in elements(data) if element.tag == SYNTAX), None
    )
    if (
        syntax is None
        or DeflatedExplicitVRLittleEndian.encode()
        not in data[syntax.value_at : syntax.end]
    ):
        return bits_flipped(chance, data)
    try:
        inside = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
            data[syntax.end :], 1 << 24
        )
    except zlib.error:
        return bits_flipped(chance, data)
    memory_faults = (
        inside + bytes(BOMB_BYTES)
        if chance.random() < 0.2
        else bits_flipped(chance, inside)
    )
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return data[: syntax.end] + packer.compress(memory_faults) + packer.flush()


ALL = (
    number_changed,
    frames_changed,
    photometric_changed,
    syntax_swapped,
    vr_changed,
    length_changed,
    tag_changed,
    element_removed,
    element_doubled,
    value_replaced,
    pixels_shortened,
    nested_deeply,
    meta_changed,
    inflated_changed,
)
