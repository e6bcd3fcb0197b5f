"""The result of de-identification."""

from collections import Counter
from dataclasses import dataclass, field

from shared.domain.results.findings import Finding

UNNAMED = "other"


@dataclass(frozen=True, eq=False)
class CleanedFile:
    """A file without anything about a patient.

    Attributes
    ----------
    data : the file
    removed : how many elements were removed, by their name in the standard; never a value
    findings : what the cleaned file no longer shows about the original, for the result's warnings
    """

    data: bytes
    removed: Counter[str] = field(default_factory=Counter)
    findings: tuple[Finding, ...] = ()
