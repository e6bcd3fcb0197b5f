"""A case that a hospital sends, and what it noted of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    GOOD = "good"
    CORRUPT = "spoilt"
    """A JPEG that breaks off: it is refused at once, or fails with a reason."""
    POISON = "poison"
    """Whatever reads it is killed, every time: it fails, and takes no other case with it."""


@dataclass(frozen=True)
class PlannedCase:
    """A case to be sent; no other has its size, so a result that belongs to another case is known
    by it.
    """

    number: int
    hospital: str
    kind: Kind
    size_mm: float
    image: bytes = field(default=b"", repr=False)
    """Empty where its sender makes it on the way."""
    urgent: bool = False
    twice: bool = False

    @property
    def filename(self) -> str:
        return "nodule.jpg" if self.kind is Kind.CORRUPT else "nodule.png"


@dataclass
class CaseRecord:
    """A hospital's own notes of one case: every answer to it, whether the ledger knows of it or
    not.
    """

    planned: PlannedCase
    receipts: list[dict[str, Any]] = field(default_factory=list)
    refused: str | None = None
    """The code of a refusal that is final."""
    silent: bool = False
    """It was never answered, although it was sent again and again."""
    job: Mapping[str, Any] | None = None
    """The job as it was last seen; None where it is not there."""
    killed: int = 0
    """How often a worker was killed over it."""

    @property
    def jobs(self) -> set[str]:
        return {receipt["job_id"] for receipt in self.receipts}

    @property
    def cases(self) -> set[str]:
        return {receipt["case_id"] for receipt in self.receipts}
