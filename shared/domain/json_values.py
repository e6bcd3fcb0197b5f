"""Converts dataclasses to the values of JSON: objects, lists, texts, numbers."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

JsonValue: TypeAlias = (
    "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
)
"""What a JSON document can hold."""


def plain_fields(instance: "DataclassInstance") -> dict[str, Any]:
    """The fields of a dataclass by name; dataclasses within it are converted too."""
    return {
        field.name: _plain_value(getattr(instance, field.name))
        for field in fields(instance)
    }


def _plain_value(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return plain_fields(value)
    if isinstance(value, Mapping):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain_value(item) for item in value]
    return value
