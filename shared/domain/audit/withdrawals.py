"""Withdrawals that must survive a restore: erased cases and revoked keys.

They must not come back with an older state of the ledger.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Self


@dataclass(frozen=True)
class Withdrawals:
    """Erased cases with the reason of each, and revoked keys.

    `known_at` is the time at which this list was complete (ISO 8601, UTC).
    """

    known_at: str = ""
    cases: dict[str, str] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    def __or__(self, other: Self) -> Self:
        return type(self)(
            known_at=max(self.known_at, other.known_at),
            cases=self.cases | other.cases,
            keys=self.keys | other.keys,
        )


def merge_withdrawals(parts: Iterable[Withdrawals]) -> Withdrawals:
    """Return the union of the withdrawals."""
    return reduce(Withdrawals.__or__, parts, Withdrawals())
