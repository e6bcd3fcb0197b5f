"""The seals of all chains in one numbered series, and the witnesses of it outside the database.

Each seal of the series holds the hash of the one before, and the heads of the chains that have
grown since. So the hash of one seal stands for every event up to it, of every chain. Whoever owns
the tables can remove seals, or rewrite events and begin a new series; the last seal that was put
down elsewhere shows it.

A seal is signed over this JSON array in UTF-8, with `, ` between its members:

    ["sera-series/1", number, at, previous, key, chain, number, hash, chain, number, hash, ...]
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from shared.domain.audit.chain import (
    NO_PREVIOUS_HASH,
    Seal,
    canonical_bytes,
    sha256,
)
from shared.domain.audit.verification import Fault, Finding, make_finding
from shared.errors import InputError

SERIES_FORM = "sera-series/1"
WITNESS_FORM = "sera-witness/1"
SERIES_CHAIN = "seals"
"""The name of the series where a finding names a chain."""
WITNESS_LINE = re.compile(
    rf"{WITNESS_FORM} ([1-9]\d{{0,17}}) (\S{{1,40}}) ([0-9a-f]{{64}})"
)


class WitnessUnreadable(InputError):
    code = "witness-unreadable"
    text = (
        "{place} is no witness of the audit trail, which is the one line that `./sera audit "
        "witness` prints: {form}, a number, a time, a hash. Copy the whole line."
    )


class Head(NamedTuple):
    """The number and hash of a chain's last event."""

    chain: str
    number: int
    hash: str


@dataclass(frozen=True)
class SeriesSeal:
    """A seal of the series. `heads` are those that moved since the seal before, by chain."""

    number: int
    at: str
    heads: tuple[Head, ...]
    previous: str
    key: str
    signature: str = ""

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that the signature covers."""
        members = [member for head in self.heads for member in head]
        return canonical_bytes(
            (SERIES_FORM, self.number, self.at, self.previous, self.key, *members)
        )

    @property
    def computed_hash(self) -> str:
        """The hash by which the next seal, and a witness, refer to this one."""
        return sha256(self.signed_bytes)

    @property
    def witness(self) -> "Witness":
        return Witness(number=self.number, at=self.at, hash=self.computed_hash)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "heads": [list(head) for head in self.heads]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError if the record is no seal."""
        texts = {name: record[name] for name in ("at", "previous", "key", "signature")}
        heads = tuple(Head(*head) for head in record["heads"])
        values = (*texts.values(), *(head.chain for head in heads))
        numbers = (record["number"], *(head.number for head in heads))
        hashes = tuple(head.hash for head in heads)
        if not all(type(value) is str for value in (*values, *hashes)):
            raise TypeError("text")
        if not all(type(number) is int for number in numbers):
            raise TypeError("number")
        return cls(number=record["number"], heads=heads, **texts)


@dataclass(frozen=True)
class Witness:
    """A seal of the series as it was put down outside the database.

    `place` names where, for people.
    """

    number: int
    at: str
    hash: str
    place: str = "the witness"

    def __str__(self) -> str:
        return f"{WITNESS_FORM} {self.number} {self.at} {self.hash}"

    @classmethod
    def parse(cls, line: str, place: str) -> Self:
        """Read the line. Raises WitnessUnreadable."""
        match = WITNESS_LINE.fullmatch(line.strip())
        if match is None:
            raise WitnessUnreadable(place=place, form=WITNESS_FORM)
        number, at, digest = match.groups()
        return cls(number=int(number), at=at, hash=digest, place=place)


def check_series(
    series: Iterable[SeriesSeal],
    has_valid_signature: Callable[[SeriesSeal], bool],
    trusted_keys: Sequence[str] = (),
    last: SeriesSeal | None = None,
) -> Iterator[Finding]:
    """Check numbers, hashes and signatures of seals in their order, which begins after `last`."""
    number, previous = 0, NO_PREVIOUS_HASH
    if last:
        number, previous = last.number, last.computed_hash
    for seal in series:
        if trusted_keys and seal.key not in trusted_keys:
            yield _finding(Fault.SEAL_UNTRUSTED, seal=seal.number, key=seal.key)
        elif not has_valid_signature(seal):
            yield _finding(Fault.SEAL_BROKEN, seal=seal.number, key=seal.key)
        if (seal.number, seal.previous) != (number + 1, previous):
            yield _finding(Fault.SEAL_REMOVED, seal=seal.number)
        number, previous = seal.number, seal.computed_hash


def check_witnesses(
    find_seal: Callable[[int], SeriesSeal | None], witnesses: Iterable[Witness]
) -> Iterator[Finding]:
    """Hold the series against what was put down of it elsewhere."""
    for witness in witnesses:
        seal = find_seal(witness.number)
        fault = None
        if seal is None:
            fault = Fault.SEALS_CUT
        elif seal.computed_hash != witness.hash:
            fault = Fault.SEALS_REWRITTEN
        if fault:
            yield _finding(
                fault, seal=witness.number, at=witness.at, place=witness.place
            )


def head_seals(series: Iterable[SeriesSeal]) -> list[Seal]:
    """The heads of the series as seals of their chains; the series vouches for them."""
    return [
        Seal(
            chain=head.chain,
            seal=seal.number,
            number=head.number,
            hash=head.hash,
            at=seal.at,
            previous="",
            key=seal.key,
        )
        for seal in series
        for head in seal.heads
    ]


def _finding(fault: Fault, **facts: object) -> Finding:
    return make_finding(fault, SERIES_CHAIN, first=0, last=0, **facts)
