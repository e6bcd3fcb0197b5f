"""Reads files by scipy's writer, and files made by hand where MATLAB and scipy differ."""

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import eye

from shared.networks.weights.importers.matfile import read_mat

KINDS = ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "variables.mat"


def cell(*items: object) -> np.ndarray:
    cells = np.empty((1, len(items)), object)
    cells[0, :] = items
    return cells


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 3), (5, 1), (2, 3), (2, 3, 4, 5), (0, 0)]
)
def test_arrays_come_back_in_their_shape_and_order(file, compressed, kind, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    savemat(file, {"array": array}, do_compression=compressed)
    read = read_mat(file, ("array",))["array"]
    assert read.dtype == array.dtype or not array.size
    np.testing.assert_array_equal(read, array)


def test_cells_structs_and_text_nest(file):
    written = {
        "name": "conv1",
        "weights": cell(np.eye(2), np.float32(3)),
        "more": {"note": "ü", "empty": ""},
    }
    savemat(file, {"layers": cell(written, "text")})
    [[layer], text] = read_mat(file, ("layers",))["layers"]
    assert (layer["name"], text) == ("conv1", "text")
    np.testing.assert_array_equal(layer["weights"][0], np.eye(2))
    np.testing.assert_array_equal(layer["weights"][1], [[3]])
    assert layer["more"][0]["note"] == "ü"


def test_only_the_requested_variables_are_read(file):
    savemat(file, {"layers": np.eye(2), "meta": np.eye(3)})
    assert list(read_mat(file, ("layers", "net"))) == ["layers"]


def test_a_value_of_another_class_is_none(file):
    savemat(file, {"sparse": eye(3).tocsc()})
    assert read_mat(file, ("sparse",)) == {"sparse": None}


def test_doubles_that_matlab_stores_in_a_byte_each_are_read(file):
    """As MATLAB writes [1 2 3]: class double, the numbers as miUINT8 within the tag itself."""
    matrix = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIII", 5, 8, 1, 3)
    matrix += struct.pack("<HH4s", 1, 1, b"a\0\0\0") + struct.pack(
        "<HH4s", 2, 3, b"\1\2\3\0"
    )
    file.write_bytes(
        b" " * 124 + b"\x00\x01IM" + struct.pack("<II", 14, len(matrix)) + matrix
    )
    np.testing.assert_array_equal(read_mat(file, ("a",))["a"], [[1, 2, 3]])


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_refused_unless_only_padding_is_missing(file, compressed):
    savemat(
        file,
        {"layers": cell({"type": "conv", "weights": cell(np.eye(3), np.ones(3))})},
        do_compression=compressed,
    )
    content = file.read_bytes()
    for length in range(129, len(content) - 8):
        file.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"ends|missing|damaged"):
            read_mat(file, ("layers",))


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"MATLAB 7.3 MAT-file" + bytes(200),
        b"MATLAB 5.0" + b" " * 114 + b"\x01\x00MI",
    ],
)
def test_another_level_or_byte_order_is_refused_with_the_way_out(file, start):
    file.write_bytes(start)
    with pytest.raises(ValueError, match="-v7"):
        read_mat(file, ("layers",))
