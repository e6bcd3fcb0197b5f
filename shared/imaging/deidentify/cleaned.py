"""What cleaning gives back."""

from collections import Counter
from dataclasses import dataclass, field

OTHER = "other"


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A file without anything of a patient; `removed` counts what went by its name in the standard, never a value."""

    data: bytes
    removed: Counter[str] = field(default_factory=Counter)
