"""The hashed form of an audit event, and the signed form of a seal.

Anybody can recompute both from an export. The hash of an event is the SHA-256, in hexadecimal,
of this JSON array in UTF-8, with `, ` between its members:

    ["sera-audit/1", chain, number, at, actor, origin, event, case, job, details, previous]

`number` is a number, `origin`, `case` and `job` may be null, all others are texts. `details` is
the text of a JSON object exactly as it was stored, because a number can be written in two ways.
In texts only quotation marks, backslashes and control characters are escaped. `previous` is the
hash of the event before, 64 zeros for the first event.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

EVENT_FORM = "sera-audit/1"
SEAL_FORM = "sera-seal/1"
SYSTEM_CHAIN = "house"
"""The chain of events that belong to no hospital."""
NO_PREVIOUS_HASH = "0" * 64
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Link:
    """An event of a chain, as the texts that its hash covers."""

    chain: str
    number: int
    at: str
    actor: str
    origin: str | None
    event: str
    case: str | None
    job: str | None
    details: str
    previous: str
    hash: str

    @property
    def computed_hash(self) -> str:
        """The hash of this content; it equals `hash` unless the event was changed."""
        content = canonical_bytes(
            (
                EVENT_FORM,
                self.chain,
                self.number,
                self.at,
                self.actor,
                self.origin,
                self.event,
                self.case,
                self.job,
                self.details,
                self.previous,
            )
        )
        return sha256(content)


@dataclass(frozen=True)
class Seal:
    """The head of a chain at one time, signed with Ed25519.

    `previous` is the hash of the previous seal of the chain.
    """

    chain: str
    seal: int
    number: int
    hash: str
    at: str
    previous: str
    key: str
    signature: str = ""

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that the signature covers."""
        return canonical_bytes(
            (
                SEAL_FORM,
                self.chain,
                self.seal,
                self.number,
                self.hash,
                self.at,
                self.previous,
                self.key,
            )
        )

    @property
    def computed_hash(self) -> str:
        """The hash by which the next seal refers to this one."""
        return sha256(self.signed_bytes)


def canonical_bytes(members: Sequence[str | int | None]) -> bytes:
    """A JSON array in UTF-8, written in the one way that hashes and signatures cover."""
    return json.dumps(members, ensure_ascii=False).encode(errors="surrogatepass")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def chain_name(hospital: UUID | None) -> str:
    return str(hospital) if hospital else SYSTEM_CHAIN


def format_time(at: datetime) -> str:
    """A time in UTC with its microseconds."""
    return at.astimezone(UTC).strftime(TIME_FORMAT)


def parse_link(record: Mapping[str, Any]) -> Link:
    """Read an event. Raises KeyError, TypeError or ValueError if the record is no event."""
    return Link(**_members(Link, record))


def parse_seal(record: Mapping[str, Any]) -> Seal:
    """Read a seal. Raises KeyError, TypeError or ValueError if the record is no seal."""
    return Seal(**_members(Seal, record))


NUMBER_MEMBERS = frozenset({"number", "seal"})
NULLABLE_MEMBERS = frozenset({"origin", "case", "job"})


def _members(
    kind: type[Link] | type[Seal], record: Mapping[str, Any]
) -> dict[str, Any]:
    members = {field.name: record[field.name] for field in fields(kind)}
    for name, value in members.items():
        if value is None and name in NULLABLE_MEMBERS:
            continue
        required_type = int if name in NUMBER_MEMBERS else str
        if type(value) is not required_type:
            raise TypeError(name)
    return members
