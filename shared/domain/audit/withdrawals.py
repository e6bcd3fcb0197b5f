"""What was taken back for good, and must not come back with an older state of the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Self


@dataclass(frozen=True)
class Withdrawals:
    """Erased cases with the ground of each, and revoked keys, as they were known at a time (ISO 8601, UTC)."""

    known_at: str = ""
    cases: dict[str, str] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    def __or__(self, other: Self) -> Self:
        latest = max(self.known_at, other.known_at)
        return type(self)(latest, self.cases | other.cases, self.keys | other.keys)


def merge_withdrawals(parts: Iterable[Withdrawals]) -> Withdrawals:
    """What any of them knows."""
    return reduce(Withdrawals.__or__, parts, Withdrawals())
