"""MATLAB's level 5 MAT-files ("MAT-File Format", The MathWorks): what `save` writes without -v7.3.

Read here and not by `scipy.io.loadmat`, because that one can crash the process on a damaged file; this one raises
`ValueError`. A file is a header of 128 bytes and then elements: a tag (kind, size in bytes) and a payload.
"""

import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 128
LITTLE_ENDIAN_LEVEL_5 = b"\x00\x01IM"
TAG = struct.Struct("<II")
COMPRESSED = 15
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "<i2",
    4: "<u2",
    5: "<i4",
    6: "<u4",
    7: "<f4",
    9: "<f8",
    12: "<i8",
    13: "<u8",
}
"""Kind of element -> how its numbers are stored; MATLAB stores each array in the smallest that holds it."""
TEXT = {1: "utf-8", 2: "utf-8", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
CELL = 1
STRUCT = 2
CHAR = 4
NUMERIC = range(6, 16)

Elements = Iterator[tuple[int, memoryview]]


def read_mat(file: Path, names: Collection[str]) -> dict[str, Any]:
    """The variables of these names: an array, a str, a list of values (cells) or a list of dicts (a struct array).

    Whatever else MATLAB knows (sparse, function handles, objects) is None.
    """
    contents = memoryview(file.read_bytes())
    if contents[HEADER_BYTES - 4 : HEADER_BYTES] != LITTLE_ENDIAN_LEVEL_5:
        raise ValueError("not a MAT-file of level 5; in MATLAB, save it with -v7")
    variables = {}
    for kind, payload in _elements(contents[HEADER_BYTES:]):
        matrix = _uncompressed(payload) if kind == COMPRESSED else payload
        if (name := _name(matrix)) in names:
            variables[name] = _value(matrix)
    return variables


def _elements(buffer: memoryview) -> Elements:
    """Kind and payload of each.

    What is at most 4 bytes long may be within the tag itself, its size in the upper half of the tag's first word; all
    else is padded to 8 bytes, save compressed elements.
    """
    place = 0
    while place < len(buffer):
        if place + TAG.size > len(buffer):
            raise ValueError("it ends within a tag")
        (kind, size), start = TAG.unpack_from(buffer, place), place + TAG.size
        place = start + (size if kind == COMPRESSED else -(-size // 8) * 8)
        if kind >> 16:
            kind, size, start, place = kind & 0xFFFF, kind >> 16, start - 4, start
        if start + size > len(buffer):
            raise ValueError(f"it ends {start + size - len(buffer)} bytes too early")
        yield kind, buffer[start : start + size]


def _next(elements: Elements) -> tuple[int, memoryview]:
    element = next(elements, None)
    if element is None:
        raise ValueError("a part of a variable is missing")
    return element


def _uncompressed(payload: memoryview) -> memoryview:
    """The one matrix within."""
    try:
        return _next(_elements(memoryview(zlib.decompress(payload))))[1]
    except zlib.error as problem:
        raise ValueError(f"a compressed variable is damaged: {problem}") from problem


def _numbers(element: tuple[int, memoryview]) -> NDArray[np.number]:
    kind, payload = element
    if kind not in NUMBERS:
        raise ValueError(f"numbers of the unknown kind {kind}")
    return np.frombuffer(payload, NUMBERS[kind])


def _text(element: tuple[int, memoryview]) -> str:
    kind, payload = element
    if kind not in TEXT:
        raise ValueError(f"text of the unknown kind {kind}")
    return bytes(payload).decode(TEXT[kind])


def _name(matrix: memoryview) -> str:
    """After flags and shape."""
    elements = _elements(matrix)
    _next(elements), _next(elements)
    return _text(_next(elements))


def _value(matrix: memoryview) -> Any:
    if not matrix:
        return np.zeros((0, 0))
    elements = _elements(matrix)
    flags = _numbers(_next(elements))
    shape = _numbers(_next(elements))
    _ = _next(elements)
    if not flags.size or not shape.size or shape.min() < 0:
        raise ValueError("a variable has no class or no shape")
    read = READERS.get(int(flags[0]) & 0xFF)
    return read and read(elements, tuple(shape.tolist()))


def _cells(elements: Elements, shape: tuple[int, ...]) -> list[Any]:
    return [_value(_next(elements)[1]) for _ in range(prod(shape))]


def _structs(elements: Elements, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Names of the fields, each padded with zeros to one length; then the fields of one struct after another."""
    length = _numbers(_next(elements))
    names = bytes(_next(elements)[1])
    if length.size != 1 or length[0] < 1 or not names:
        raise ValueError("a struct has no fields")
    starts = range(0, len(names), int(length[0]))
    fields = [
        names[start : start + int(length[0])].rstrip(b"\0").decode() for start in starts
    ]
    return [
        {field: _value(_next(elements)[1]) for field in fields}
        for _ in range(prod(shape))
    ]


def _string(elements: Elements, shape: tuple[int, ...]) -> str:
    return _text(_next(elements))


def _array(elements: Elements, shape: tuple[int, ...]) -> NDArray[np.number]:
    """The real part, columns first."""
    return _numbers(_next(elements)).reshape(shape, order="F")


READERS: dict[int, Callable[[Elements, tuple[int, ...]], Any]] = {
    CELL: _cells,
    STRUCT: _structs,
    CHAR: _string,
    **dict.fromkeys(NUMERIC, _array),
}
"""By MATLAB's class."""
