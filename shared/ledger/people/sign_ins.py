"""Sign-ins: limits the attempts, finds the password hash to compare with, records the result.

An attempt counts as failed before its password is compared, and a success removes it from the
count. So no more passwords are compared than allowed, even if many attempts come at the same time.
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
    MAX_LOCK_S,
    NEXT_GENERATION,
    NOW,
    UNLOCKED,
    lock_after,
    sign_in_name,
)
from shared.ledger.tables import PersonRow, SignInRateLimitRow, UnknownNameRow

RETENTION = timedelta(days=1)
"""How long the attempts of an address, or with an unknown name, are stored."""
LONGEST_LOCK = timedelta(seconds=MAX_LOCK_S, minutes=1)
CODE_MISSING = "code-missing"
"""The password was right, but the attempt had no code of the authenticator."""
NETWORK_BITS = 64
"""All addresses of an IPv6 network share one bucket, because a client may use all of them."""


@dataclass(frozen=True)
class SignInAttempt:
    """An attempt: the person with this name, and the hash for the comparison of the password."""

    person: UUID | None
    hospital: UUID | None
    name: str
    password_hash: str | None
    failures: int
    wait_s: int = 0
    """If it is more than 0, the name is locked, and the password is not compared."""

    @property
    def matched_person(self) -> UUID:
        """The person of an attempt whose password was right."""
        if self.person is None:
            raise ValueError("nobody has this name")
        return self.person

    @classmethod
    def none(cls) -> Self:
        return cls(person=None, hospital=None, name="", password_hash=None, failures=0)


class SignIns:
    """Sign-ins of the whole system, because a person who signs in has no hospital yet."""

    def __init__(
        self, session: Session, audit: AuditTrail, pseudonyms: Pseudonyms
    ) -> None:
        self._session = session
        self._audit = audit
        self._pseudonyms = pseudonyms

    def throttle(self, origin: str | None, per_minute: int) -> int:
        """Count an attempt from this address.

        Returns 0 if it is allowed, or the seconds until the address may try again.
        """
        bucket = rate_limit_bucket(origin)
        level = _level(per_minute)
        first_use = insert(SignInRateLimitRow).values(
            origin=bucket, tokens=per_minute - 1
        )
        statement = first_use.on_conflict_do_update(
            index_elements=[SignInRateLimitRow.origin],
            set_={"tokens": level - 1, "filled_at": NOW},
            where=level >= 1,
        )
        tokens = self._session.scalar(statement.returning(SignInRateLimitRow.tokens))
        if tokens is not None:
            return 0
        query = select(level).where(SignInRateLimitRow.origin == bucket)
        present_level = self._session.scalars(query).one()
        return max(math.ceil(60 * (1 - present_level) / per_minute), 1)

    def begin(self, name: str) -> SignInAttempt:
        """Count an attempt with this name. Unknown and known names get the same responses."""
        name = sign_in_name(name)
        failures = PersonRow.failures + 1
        statement = (
            update(PersonRow)
            .where(PersonRow.name == name, _is_unlocked(PersonRow))
            .values(failures=failures, locked_until=lock_after(failures))
            .returning(
                PersonRow.id,
                PersonRow.hospital_id,
                PersonRow.password_hash,
                PersonRow.failures,
            )
        )
        person = self._session.execute(statement).first()
        if person:
            return SignInAttempt(
                person=person.id,
                hospital=person.hospital_id,
                name=name,
                password_hash=person.password_hash,
                failures=person.failures,
            )
        query = select(_lock_left_s(PersonRow)).where(PersonRow.name == name)
        lock_left_s = self._session.scalar(query)
        if lock_left_s is not None:
            return _locked_attempt(name, lock_left_s)
        return self._begin_unknown(name)

    def succeed(self, attempt: SignInAttempt, rehashed: str | None = None) -> bool:
        """Record that the password was right.

        False if the password was changed, or the person disabled, in the meantime.
        """
        values = {
            **UNLOCKED,
            "signed_in_at": NOW,
            "password_hash": rehashed or attempt.password_hash,
        }
        return self._complete(attempt, values, Event.PERSON_SIGNED_IN)

    def sign_in_by_identity(self, person: UUID) -> bool:
        """Record that an identity provider authenticated the person; False if they are disabled."""
        statement = (
            update(PersonRow)
            .where(PersonRow.id == person, PersonRow.disabled_at.is_(None))
            .values(signed_in_at=NOW)
            .returning(PersonRow.hospital_id)
        )
        row = self._session.execute(statement).first()
        if row is None:
            return False
        self._record(Event.PERSON_SIGNED_IN, person=person, hospital_id=row.hospital_id)
        return True

    def record_identity_refusal(
        self, person: UUID | None, hospital: UUID | None, why: str
    ) -> None:
        """Record that a sign-in by an identity provider was refused."""
        self._record(Event.PERSON_REFUSED, person=person, hospital_id=hospital, why=why)

    def change_password(self, attempt: SignInAttempt, new_hash: str) -> bool:
        """Set a new password, and end every session of the person.

        False if the password was changed, or the person disabled, in the meantime.
        """
        values = {
            **UNLOCKED,
            **NEXT_GENERATION,
            "password_hash": new_hash,
            "must_change": False,
        }
        return self._complete(attempt, values, Event.PASSWORD_CHANGED)

    def record_failure(self, attempt: SignInAttempt, why: str) -> None:
        """Record that an attempt failed, and that the name is locked if there were too many
        failures.
        """
        person = attempt.person
        hospital = attempt.hospital
        self._record(
            Event.PERSON_REFUSED,
            person=person,
            hospital_id=hospital,
            why=why if person else "unknown",
        )
        if person and attempt.failures >= FREE_ATTEMPTS and why != CODE_MISSING:
            self._record(Event.PERSON_LOCKED, person=person, hospital_id=hospital)

    def give_back(self, attempt: SignInAttempt) -> None:
        """Do not count an attempt whose password was right but whose code was missing.

        If there were other attempts in the meantime, the count does not change.
        """
        statement = (
            update(PersonRow)
            .where(
                PersonRow.id == attempt.person, PersonRow.failures == attempt.failures
            )
            .values(failures=PersonRow.failures - 1, locked_until=None)
        )
        self._session.execute(statement)

    def _complete(
        self, attempt: SignInAttempt, values: Mapping[str, Any], event: Event
    ) -> bool:
        statement = (
            update(PersonRow)
            .where(
                PersonRow.id == attempt.person,
                PersonRow.password_hash == attempt.password_hash,
                PersonRow.disabled_at.is_(None),
            )
            .values(values)
            .returning(PersonRow.id)
        )
        if self._session.scalar(statement) is None:
            return False
        self._record(event, person=attempt.person, hospital_id=attempt.hospital)
        return True

    def _begin_unknown(self, name: str) -> SignInAttempt:
        """Count an attempt with a name that nobody has.

        The typed text may be a password, so only its keyed hash is stored.
        """
        self._delete_old_attempts()
        key = self._pseudonyms.derive_key("sign-in names")
        encoded_name = name.encode(errors="surrogatepass")
        name_hmac = hmac.new(key, encoded_name, hashlib.sha256).hexdigest()
        failures = UnknownNameRow.failures + 1
        first_attempt = insert(UnknownNameRow).values(name_hmac=name_hmac, failures=1)
        statement = first_attempt.on_conflict_do_update(
            index_elements=[UnknownNameRow.name_hmac],
            set_={
                "failures": failures,
                "locked_until": lock_after(failures),
                "tried_at": NOW,
            },
            where=_is_unlocked(UnknownNameRow),
        )
        count = self._session.scalar(statement.returning(UnknownNameRow.failures))
        if count is None:
            query = select(_lock_left_s(UnknownNameRow)).where(
                UnknownNameRow.name_hmac == name_hmac
            )
            return _locked_attempt(name, self._session.scalars(query).one())
        return SignInAttempt(
            person=None, hospital=None, name=name, password_hash=None, failures=count
        )

    def _delete_old_attempts(self) -> None:
        self._session.execute(
            delete(UnknownNameRow).where(UnknownNameRow.tried_at < NOW - RETENTION)
        )
        self._session.execute(
            delete(SignInRateLimitRow).where(
                SignInRateLimitRow.filled_at < NOW - RETENTION
            )
        )

    def _record(
        self,
        event: Event,
        *,
        person: UUID | None,
        hospital_id: UUID | None,
        **details: object,
    ) -> None:
        if person:
            details = {"person": str(person), **details}
        entry = AuditEntry(event=event, hospital_id=hospital_id, details=details)
        self._audit.record_all([entry])


def rate_limit_bucket(origin: str | None) -> str:
    """The bucket of an address: the address itself, or its network for IPv6."""
    try:
        address = ip_address(origin or "")
    except ValueError:
        return origin or "nowhere"
    if address.version == 6:
        return str(ip_network((address, NETWORK_BITS), strict=False))
    return str(address)


def _locked_attempt(name: str, lock_left_s: float) -> SignInAttempt:
    return SignInAttempt(
        person=None,
        hospital=None,
        name=name,
        password_hash=None,
        failures=FREE_ATTEMPTS,
        wait_s=max(math.ceil(lock_left_s), 1),
    )


def _is_unlocked(
    table: type[PersonRow | UnknownNameRow],
) -> ColumnElement[bool]:
    """A lock that ends later than any lock lasts is of a clock that was set back since."""
    return or_(
        table.locked_until.is_(None),
        table.locked_until <= NOW,
        table.locked_until > NOW + LONGEST_LOCK,
    )


def _lock_left_s(
    table: type[PersonRow | UnknownNameRow],
) -> ColumnElement[float]:
    return func.coalesce(func.extract("epoch", table.locked_until - NOW), literal(0))


def _level(per_minute: int) -> ColumnElement[float]:
    """SQL for the tokens in an address's bucket now."""
    age = func.extract("epoch", NOW - SignInRateLimitRow.filled_at)
    # If the clock is set back, the bucket fills, because nobody must be locked out.
    age_s = func.abs(cast(age, Double))
    return func.least(
        SignInRateLimitRow.tokens + age_s * per_minute / 60.0, float(per_minute)
    )
