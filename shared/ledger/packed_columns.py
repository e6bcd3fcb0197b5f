"""Whole columns of numbers in one string of bytes each: much less to send and to read than rows.

They stand in the big-endian order of PostgreSQL's `int2send` and `float8send`. Columns of one group have one order.
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
    bindparam,
    cast,
    func,
    literal_column,
)

Floats = NDArray[np.float64]
NOTHING: ColumnElement[bytes] = literal_column("''::bytea")
NAN: ColumnElement[float] = literal_column("'NaN'::float8")


def pack_smallints(value: Any) -> Any:
    """An aggregate of small whole numbers; nulls are left out."""
    return func.string_agg(func.int2send(cast(value, SmallInteger)), NOTHING)


def pack_doubles(value: Any) -> Any:
    """An aggregate of numbers, nulls as NaN."""
    return func.string_agg(func.float8send(func.coalesce(value, NAN)), NOTHING)


def pack_bucket_numbers(value: Any, edges: Sequence[float]) -> Any:
    """An aggregate of the numbers of the buckets that values fall in: 0 below the first edge, up to len(edges)."""
    return pack_smallints(
        func.width_bucket(
            value,
            bindparam(None, np.asarray(edges, dtype=float).tolist(), ARRAY(Double)),
        )
    )


def unpack_smallints(sent: memoryview | None) -> NDArray[np.int16]:
    """None, as an aggregate of nulls is, as no number."""
    return np.frombuffer(sent or b"", ">i2")


def unpack_doubles(sent: memoryview) -> Floats:
    return np.frombuffer(sent, ">f8").astype(np.float64)
