"""Dataclasses as values that JSON has: objects, lists, texts, numbers."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def plain_fields(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass by their names, and of those within it."""
    return {
        field.name: _plain(getattr(instance, field.name)) for field in fields(instance)
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return plain_fields(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value
