"""What cleaning gives back."""

from collections import Counter
from dataclasses import dataclass, field

UNNAMED = "other"


@dataclass(frozen=True, eq=False)
class CleanedFile:
    """A file without anything of a patient; `removed` counts what went by its name in the standard, never a value."""

    data: bytes
    removed: Counter[str] = field(default_factory=Counter)
