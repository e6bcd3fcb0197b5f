"""Signing in: how often somebody may try, what a password is compared with, and what came of it.

A try is counted as failed before its password is looked at, and the count is taken back when it was right: so however
many come at once, no more are looked at than may be.
"""

import hashlib
import hmac
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any, Self
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.datasets.pseudonyms import Pseudonyms
from shared.ledger.people.repository import (
    FREE_ATTEMPTS,
    NEXT_GENERATION,
    NOW,
    UNLOCKED,
    lock_after,
    sign_in_name,
)
from shared.ledger.tables import PersonRow, SignInRateLimitRow, UnknownNameRow

FORGOTTEN_AFTER = timedelta(days=1)
"""When a name that nobody has, or an address that tried, is forgotten."""
CODE_MISSING = "code-missing"
"""The password was right, and the authenticator's code did not come with it."""
NETWORK_BITS = 64
"""An IPv6 network has one bucket: its addresses are there for the taking."""


@dataclass(frozen=True)
class Attempt:
    """A try under way: whose name it was, and what the password is to be compared with."""

    person: UUID | None
    hospital: UUID | None
    name: str
    password_hash: str | None
    failures: int
    wait_s: int = 0
    """More than 0: the name is locked, and no password is looked at."""

    @property
    def matched_person(self) -> UUID:
        """Whose password it was; only of a try whose password was right."""
        if self.person is None:
            raise ValueError("nobody has this name")
        return self.person

    @classmethod
    def none(cls) -> Self:
        return cls(None, None, "", None, 0)


class SignIns:
    """The house's: whoever signs in has no hospital yet."""

    def __init__(
        self, session: Session, audit: AuditTrail, pseudonyms: Pseudonyms
    ) -> None:
        self._session = session
        self._audit = audit
        self._pseudonyms = pseudonyms

    def throttle(self, origin: str | None, per_minute: int) -> int:
        """Count a try from this address; 0, or the seconds until it may try again."""
        told = rate_limit_bucket(origin)
        level = _level(per_minute)
        first = insert(SignInRateLimitRow).values(origin=told, tokens=per_minute - 1)
        taken = first.on_conflict_do_update(
            index_elements=[SignInRateLimitRow.origin],
            set_={"tokens": level - 1, "filled_at": NOW},
            where=level >= 1,
        )
        if self._session.scalar(taken.returning(SignInRateLimitRow.tokens)) is not None:
            return 0
        left = self._session.scalars(
            select(level).where(SignInRateLimitRow.origin == told)
        ).one()
        return max(math.ceil(60 * (1 - left) / per_minute), 1)

    def begin(self, name: str) -> Attempt:
        """Count a try with this name; it is answered alike whether somebody has it or not."""
        name = sign_in_name(name)
        mine = update(PersonRow).where(PersonRow.name == name, _open(PersonRow))
        failures = PersonRow.failures + 1
        found = self._session.execute(
            mine.values(failures=failures, locked_until=lock_after(failures)).returning(
                PersonRow.id,
                PersonRow.hospital_id,
                PersonRow.password_hash,
                PersonRow.failures,
            )
        ).first()
        if found:
            return Attempt(
                found.id, found.hospital_id, name, found.password_hash, found.failures
            )
        locked = self._session.scalar(
            select(_left_s(PersonRow)).where(PersonRow.name == name)
        )
        return (
            Attempt(None, None, name, None, FREE_ATTEMPTS, _whole(locked))
            if locked is not None
            else self._stranger(name)
        )

    def succeed(self, attempt: Attempt, rehashed: str | None = None) -> bool:
        """The password was right: false if it was changed, or the person disabled, meanwhile."""
        told = {
            **UNLOCKED,
            "signed_in_at": NOW,
            "password_hash": rehashed or attempt.password_hash,
        }
        return self._settle(attempt, told, Event.PERSON_SIGNED_IN)

    def sign_in_by_identity(self, person: UUID) -> bool:
        """A provider of identities vouched for this person: false if they are disabled."""
        told = update(PersonRow).where(
            PersonRow.id == person, PersonRow.disabled_at.is_(None)
        )
        found = self._session.execute(
            told.values(signed_in_at=NOW).returning(PersonRow.hospital_id)
        ).first()
        if found:
            attempt = Attempt(person, found.hospital_id, "", None, 0)
            self._record(Event.PERSON_SIGNED_IN, attempt)
        return found is not None

    def record_identity_refusal(self, person: UUID | None, hospital: UUID | None, why: str) -> None:
        """Put on record that whom a provider vouched for, or did not, was refused."""
        self._record(
            Event.PERSON_REFUSED, Attempt(person, hospital, "", None, 0), why=why
        )

    def change_password(self, attempt: Attempt, new_hash: str) -> bool:
        """Every session ends. False if the password was changed, or the person disabled, meanwhile."""
        told = {
            **UNLOCKED,
            **NEXT_GENERATION,
            "password_hash": new_hash,
            "must_change": False,
        }
        return self._settle(attempt, told, Event.PASSWORD_CHANGED)

    def record_failure(self, attempt: Attempt, why: str) -> None:
        """Put on record that a try failed, and the lock if it was one too many."""
        self._record(
            Event.PERSON_REFUSED, attempt, why=why if attempt.person else "unknown"
        )
        if attempt.person and attempt.failures >= FREE_ATTEMPTS and why != CODE_MISSING:
            self._record(Event.PERSON_LOCKED, attempt)

    def give_back(self, attempt: Attempt) -> None:
        """The password was right and no code came with it yet: that was no guess, unless others guess beside it."""
        alone = PersonRow.id == attempt.person, PersonRow.failures == attempt.failures
        fewer = {"failures": PersonRow.failures - 1, "locked_until": None}
        self._session.execute(update(PersonRow).where(*alone).values(fewer))

    def _settle(self, attempt: Attempt, told: Mapping[str, Any], event: Event) -> bool:
        same = (
            PersonRow.id == attempt.person,
            PersonRow.password_hash == attempt.password_hash,
        )
        done = (
            update(PersonRow).where(*same, PersonRow.disabled_at.is_(None)).values(told)
        )
        if self._session.scalar(done.returning(PersonRow.id)) is None:
            return False
        self._record(event, attempt)
        return True

    def _stranger(self, name: str) -> Attempt:
        """A name that nobody has: what was typed may be a password, so only a keyed hash of it is kept."""
        key = self._pseudonyms.derive_key("sign-in names")
        told = hmac.new(
            key, name.encode(errors="surrogatepass"), hashlib.sha256
        ).hexdigest()
        self._session.execute(
            delete(UnknownNameRow).where(UnknownNameRow.tried_at < NOW - FORGOTTEN_AFTER)
        )
        self._session.execute(
            delete(SignInRateLimitRow).where(SignInRateLimitRow.filled_at < NOW - FORGOTTEN_AFTER)
        )
        failures = UnknownNameRow.failures + 1
        first = insert(UnknownNameRow).values(name_hmac=told, failures=1)
        counted = first.on_conflict_do_update(
            index_elements=[UnknownNameRow.name_hmac],
            set_={
                "failures": failures,
                "locked_until": lock_after(failures),
                "tried_at": NOW,
            },
            where=_open(UnknownNameRow),
        )
        count = self._session.scalar(counted.returning(UnknownNameRow.failures))
        if count is None:
            left = self._session.scalars(
                select(_left_s(UnknownNameRow)).where(UnknownNameRow.name_hmac == told)
            ).one()
            return Attempt(None, None, name, None, FREE_ATTEMPTS, _whole(left))
        return Attempt(None, None, name, None, count)

    def _record(self, event: Event, attempt: Attempt, **details: object) -> None:
        who = {"person": str(attempt.person)} if attempt.person else {}
        self._audit.record_all(
            [AuditEntry(event, attempt.hospital, details={**who, **details})]
        )


def rate_limit_bucket(origin: str | None) -> str:
    """The address whose bucket a request draws from."""
    try:
        address = ip_address(origin or "")
    except ValueError:
        return origin or "nowhere"
    return (
        str(ip_network((address, NETWORK_BITS), strict=False))
        if address.version == 6
        else str(address)
    )


def _open(table: type[PersonRow | UnknownNameRow]) -> ColumnElement[bool]:
    return or_(table.locked_until.is_(None), table.locked_until <= NOW)


def _left_s(table: type[PersonRow | UnknownNameRow]) -> ColumnElement[float]:
    return func.coalesce(func.extract("epoch", table.locked_until - NOW), literal(0))


def _whole(left_s: float) -> int:
    return max(math.ceil(left_s), 1)


def _level(per_minute: int) -> ColumnElement[float]:
    away_s = func.abs(cast(func.extract("epoch", NOW - SignInRateLimitRow.filled_at), Double))
    return func.least(
        SignInRateLimitRow.tokens + away_s * per_minute / 60.0, float(per_minute)
    )
