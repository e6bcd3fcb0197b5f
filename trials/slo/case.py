"""A planned case, and the record of how it was handled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    GOOD = "good"
    CORRUPT = "spoilt"
    """A truncated JPEG: it is refused at once, or fails with a reason."""
    POISON = "poison"
    """Every worker that reads it is killed. The case fails, and no other case is affected."""


@dataclass(frozen=True)
class PlannedCase:
    """A case to send. Its size is unique, so that a result of another case is detected."""

    number: int
    hospital: str
    kind: Kind
    size_mm: float
    image: bytes = field(default=b"", repr=False)
    """Empty if the sender makes the image when it sends the case."""
    urgent: bool = False
    twice: bool = False

    @property
    def filename(self) -> str:
        return "nodule.jpg" if self.kind is Kind.CORRUPT else "nodule.png"


@dataclass
class CaseRecord:
    """A hospital's record of one case: every answer, whether the ledger knows of it or not."""

    planned: PlannedCase
    receipts: list[dict[str, Any]] = field(default_factory=list)
    refused: str | None = None
    """The code of a final refusal."""
    silent: bool = False
    """Whether it was never answered, although it was sent repeatedly."""
    job: Mapping[str, Any] | None = None
    """The last observed state of the job; None if it does not exist."""
    results: list[Mapping[str, Any]] = field(default_factory=list)
    """The results that were read of the job, each once; a job has no more than one."""
    killed: int = 0
    """How often a worker was killed while it held this case."""

    def read(self, job: Mapping[str, Any] | None) -> None:
        """Note the state of the job as it is read."""
        self.job = job
        result = job["result"] if job else None
        if result is not None and result not in self.results:
            self.results.append(result)

    @property
    def jobs(self) -> set[str]:
        return {receipt["job_id"] for receipt in self.receipts}

    @property
    def cases(self) -> set[str]:
        return {receipt["case_id"] for receipt in self.receipts}
