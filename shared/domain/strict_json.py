"""Reads JSON strictly (RFC 8259): no key is there twice in an object, and numbers are finite.

Python's reader keeps the last of two equal keys, and also reads `NaN` and `Infinity`.
"""

import json
import math
from collections.abc import Sequence
from typing import NoReturn


class KeyRepeated(ValueError):
    """An object names a key twice, and nobody knows which value counts."""

    def __init__(self, key: str) -> None:
        super().__init__(f"its key {key!r} is there twice")
        self.key = key


class NotFinite(ValueError):
    def __init__(self, constant: str) -> None:
        super().__init__(f"{constant} is not a number of JSON")


def load_json(text: str | bytes) -> object:
    """Return the value of a JSON text.

    Raises
    ------
    KeyRepeated, NotFinite
    ValueError
        if it is not JSON.
    RecursionError
        if it is nested too deeply.
    """
    value: object = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_constant=_refuse_constant,
        parse_float=_finite,
    )
    return value


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in pairs:
        if key in values:
            raise KeyRepeated(key)
        values[key] = value
    return values


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise NotFinite(literal)
    return number


def _refuse_constant(constant: str) -> NoReturn:
    raise NotFinite(constant)
