"""Sends whole columns of numbers as one byte string each, which is much less than rows.

Numbers are in the big-endian order of PostgreSQL's `int2send` and `float8send`. All columns of one
group have the same order of rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    SmallInteger,
    SQLColumnExpression,
    bindparam,
    cast,
    func,
    literal_column,
)

Floats = NDArray[np.float64]
NO_SEPARATOR: ColumnElement[bytes] = literal_column("''::bytea")
NAN: ColumnElement[float] = literal_column("'NaN'::float8")


def pack_smallints(value: SQLColumnExpression[Any]) -> ColumnElement[Any]:
    """An SQL aggregate of small integers; nulls are left out."""
    return func.string_agg(func.int2send(cast(value, SmallInteger)), NO_SEPARATOR)


def pack_doubles(value: SQLColumnExpression[Any]) -> ColumnElement[Any]:
    """An SQL aggregate of floats, with nulls as NaN."""
    return func.string_agg(func.float8send(func.coalesce(value, NAN)), NO_SEPARATOR)


def pack_bucket_numbers(
    value: SQLColumnExpression[Any], edges: Sequence[float]
) -> ColumnElement[Any]:
    """An SQL aggregate of each value's bucket: 0 below the first edge, up to len(edges)."""
    edge_values = np.asarray(edges, dtype=float).tolist()
    edge_array = bindparam(None, edge_values, ARRAY(Double))
    return pack_smallints(func.width_bucket(value, edge_array))


def unpack_smallints(packed: memoryview | None) -> NDArray[np.int16]:
    """(N,) integers; none for None, which an aggregate of nulls gives."""
    return np.frombuffer(packed or b"", ">i2")


def unpack_doubles(packed: memoryview) -> Floats:
    """(N,) floats."""
    return np.frombuffer(packed, ">f8").astype(np.float64)
