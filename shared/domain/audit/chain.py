"""The form of an audit event and of a seal that is hashed and signed. Anybody can make it again from an export.

An event's hash is the SHA-256, in hexadecimal, of this JSON array in UTF-8, with `, ` between its members:

    ["sera-audit/1", chain, number, at, actor, origin, event, case, job, details, previous]

`number` is a number, `origin`, `case` and `job` may be null, all others are texts; `details` is the text of a JSON
object exactly as it was written down, so that no two ways of writing a number can differ. In texts only quotation
marks, backslashes and control characters are escaped. `previous` is the hash of the event before, 64 zeros for the
first.
"""

import hashlib
import json
from collections.abc import Mapping
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
    """An event in its chain, in the texts that its hash is made of."""

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
        """The hash that belongs to what is written here."""
        told = (
            self.chain,
            self.number,
            self.at,
            self.actor,
            self.origin,
            self.event,
            self.case,
            self.job,
        )
        return sha256(canonical_bytes(EVENT_FORM, *told, self.details, self.previous))


@dataclass(frozen=True)
class Seal:
    """The head of a chain at one time, signed with Ed25519; `previous` is the hash of the chain's seal before."""

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
        """What the signature is made over."""
        return canonical_bytes(
            SEAL_FORM,
            self.chain,
            self.seal,
            self.number,
            self.hash,
            self.at,
            self.previous,
            self.key,
        )

    @property
    def computed_hash(self) -> str:
        """The hash by which the next seal holds on to this one."""
        return sha256(self.signed_bytes)


def canonical_bytes(*members: str | int | None) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode(errors="surrogatepass")


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def chain_name(hospital: UUID | None) -> str:
    return str(hospital) if hospital else SYSTEM_CHAIN


def format_time(at: datetime) -> str:
    """A time in UTC with its microseconds."""
    return at.astimezone(UTC).strftime(TIME_FORMAT)


def parse_link(told: Mapping[str, Any]) -> Link:
    """Raises KeyError, TypeError or ValueError if it is no event."""
    return Link(**_members(Link, told))


def parse_seal(told: Mapping[str, Any]) -> Seal:
    """Raises KeyError, TypeError or ValueError if it is no seal."""
    return Seal(**_members(Seal, told))


NUMBER_MEMBERS = frozenset({"number", "seal"})
NULLABLE_MEMBERS = frozenset({"origin", "case", "job"})


def _members(
    kind: type[Link] | type[Seal], record: Mapping[str, Any]
) -> dict[str, Any]:
    members = {field.name: record[field.name] for field in fields(kind)}
    for name, member in members.items():
        wanted = int if name in NUMBER_MEMBERS else str
        if type(member) is not wanted and not (member is None and name in NULLABLE_MEMBERS):
            raise TypeError(name)
    return members
