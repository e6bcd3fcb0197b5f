"""Remarks on the image, the model or the decision of a result, for its user."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from shared.domain.json_values import plain_fields

Fact = bool | int | float | str


@dataclass(frozen=True)
class Finding:
    """A remark on an image or a decision; becomes a warning of the result."""

    code: str
    """The code of the remark, for programs, e.g. `roi-absent`."""
    message: str
    """An English sentence with the next step."""
    facts: Mapping[str, Fact] = field(default_factory=dict, hash=False)
    """The sentence's numbers and ids by name, for other languages; units are in the names."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned."""
        return cls(code=body["code"], message=body["message"], facts=body["facts"])

    def to_json(self) -> dict[str, Any]:
        return plain_fields(self)
