"""Reads MATLAB's level 5 MAT-files, which `save` writes without -v7.3.

`scipy.io.loadmat` is not used, because it can crash the process on a damaged file. This module
raises `ValueError` instead. A file is a header of 128 bytes and then elements: a tag (kind, size in
bytes) and a payload. Source: "MAT-File Format", The MathWorks.
"""

import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

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
"""How numbers are stored, by kind of element. MATLAB uses the smallest type that holds an array."""
TEXT = {1: "utf-8", 2: "utf-8", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}
CELL = 1
STRUCT = 2
CHAR = 4
NUMERIC = range(6, 16)

Element = tuple[int, memoryview]
"""Kind and payload."""
MatValue: TypeAlias = (
    "NDArray[np.number] | str | list[MatValue] | list[dict[str, MatValue]] | None"
)
Elements = Iterator[Element]


def read_mat(file: Path, names: Collection[str]) -> dict[str, Any]:
    """Read the variables of these names.

    A value is an array, a str, a list of values (cells) or a list of dicts (a struct array). Values
    of MATLAB's other classes (sparse, function handles, objects) are None.
    """
    content = memoryview(file.read_bytes())
    if content[HEADER_BYTES - 4 : HEADER_BYTES] != LITTLE_ENDIAN_LEVEL_5:
        raise ValueError("not a MAT-file of level 5; in MATLAB, save it with -v7")
    variables = {}
    for kind, payload in _elements(content[HEADER_BYTES:]):
        matrix = _uncompressed(payload) if kind == COMPRESSED else payload
        name = _name(matrix)
        if name in names:
            variables[name] = _value(matrix)
    return variables


def _elements(buffer: memoryview) -> Elements:
    """Return the elements of a buffer, one after the other.

    A payload of at most 4 bytes may be within the tag itself; the upper half of the tag's first
    word is then its size. All other elements except compressed ones are padded to 8 bytes.
    """
    position = 0
    while position < len(buffer):
        if position + TAG.size > len(buffer):
            raise ValueError("it ends within a tag")
        kind, size = TAG.unpack_from(buffer, position)
        start = position + TAG.size
        if kind >> 16:
            size = kind >> 16
            kind &= 0xFFFF
            position = start
            start -= 4
        else:
            padded_size = size if kind == COMPRESSED else -(-size // 8) * 8
            position = start + padded_size
        if start + size > len(buffer):
            raise ValueError(f"it ends {start + size - len(buffer)} bytes too early")
        yield kind, buffer[start : start + size]


def _next(elements: Elements) -> Element:
    element = next(elements, None)
    if element is None:
        raise ValueError("a part of a variable is missing")
    return element


def _uncompressed(payload: memoryview) -> memoryview:
    """Return the matrix in a compressed element."""
    try:
        content = memoryview(zlib.decompress(payload))
        _, matrix = _next(_elements(content))
    except zlib.error as problem:
        raise ValueError(f"a compressed variable is damaged: {problem}") from problem
    return matrix


def _numbers(element: Element) -> NDArray[np.number]:
    kind, payload = element
    if kind not in NUMBERS:
        raise ValueError(f"numbers of the unknown kind {kind}")
    return np.frombuffer(payload, NUMBERS[kind])


def _text(element: Element) -> str:
    kind, payload = element
    if kind not in TEXT:
        raise ValueError(f"text of the unknown kind {kind}")
    return bytes(payload).decode(TEXT[kind])


def _name(matrix: memoryview) -> str:
    """Return the variable's name, the third element after flags and shape."""
    elements = _elements(matrix)
    _next(elements)
    _next(elements)
    return _text(_next(elements))


def _value(matrix: memoryview) -> MatValue:
    """Return the value of a variable, a cell or a field; an empty matrix has no elements."""
    if not matrix:
        return np.zeros((0, 0))
    elements = _elements(matrix)
    flags = _numbers(_next(elements))
    shape = _numbers(_next(elements))
    _ = _next(elements)
    if not flags.size or not shape.size or shape.min() < 0:
        raise ValueError("a variable has no class or no shape")
    read = READERS.get(int(flags[0]) & 0xFF)
    if read is None:
        return None
    return read(elements, tuple(shape.tolist()))


def _cells(elements: Elements, shape: tuple[int, ...]) -> list[MatValue]:
    return [_value(_next(elements)[1]) for _ in range(prod(shape))]


def _structs(elements: Elements, shape: tuple[int, ...]) -> list[dict[str, MatValue]]:
    """Return a struct array.

    The elements are the names of the fields, padded with zeros to one length, and then the fields
    of one struct after the other.
    """
    lengths = _numbers(_next(elements))
    _, payload = _next(elements)
    names = bytes(payload)
    if lengths.size != 1 or lengths[0] < 1 or not names:
        raise ValueError("a struct has no fields")
    length = int(lengths[0])
    fields = []
    for start in range(0, len(names), length):
        name = names[start : start + length]
        fields.append(name.rstrip(b"\0").decode())
    return [
        {field: _value(_next(elements)[1]) for field in fields}
        for _ in range(prod(shape))
    ]


def _string(elements: Elements, shape: tuple[int, ...]) -> str:
    return _text(_next(elements))


def _array(elements: Elements, shape: tuple[int, ...]) -> NDArray[np.number]:
    """Return the real part. MATLAB stores columns first."""
    return _numbers(_next(elements)).reshape(shape, order="F")


READERS: dict[int, Callable[[Elements, tuple[int, ...]], MatValue]] = {
    CELL: _cells,
    STRUCT: _structs,
    CHAR: _string,
    **dict.fromkeys(NUMERIC, _array),
}
"""Readers by MATLAB's class."""
