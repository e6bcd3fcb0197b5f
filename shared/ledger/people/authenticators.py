"""Authenticators of people: sealed secret, last used code, unused recovery codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Double, cast, func, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.errors import Conflict
from shared.ledger.audit.repository import AuditEntry, AuditTrail
from shared.ledger.people.repository import NOW, WITHOUT_TOTP
from shared.ledger.tables import PersonRow


class AuthenticatorAlreadyOn(Conflict):
    code = "totp-on"
    text = "An authenticator is on already. Remove it first with POST /v1/session/totp/remove."


class AuthenticatorNotStarted(Conflict):
    code = "totp-not-begun"
    text = (
        "No authenticator was begun. Begin with POST /v1/session/totp, and confirm with the code "
        "that it shows."
    )


@dataclass(frozen=True)
class Authenticator:
    """A person's authenticator. `confirmed_at` is None until it is confirmed.

    `last_step` is the time step of the last used code, `recovery` are hashes of the unused recovery
    codes, `now_s` is the database's clock.
    """

    person: UUID
    hospital: UUID | None
    sealed: bytes | None
    confirmed_at: datetime | None
    last_step: int | None
    recovery: tuple[str, ...]
    now_s: float


class Authenticators:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def lock(self, person: UUID) -> Authenticator:
        """A person's authenticator, locked until the transaction ends.

        The lock prevents two sign-ins with one code at the same time.
        """
        query = (
            select(
                PersonRow.id,
                PersonRow.hospital_id,
                PersonRow.totp_secret,
                PersonRow.totp_since,
                PersonRow.totp_step,
                PersonRow.recovery,
                cast(func.extract("epoch", NOW), Double).label("now_s"),
            )
            .where(PersonRow.id == person)
            .with_for_update()
        )
        row = self._session.execute(query).one()
        return Authenticator(
            person=row.id,
            hospital=row.hospital_id,
            sealed=row.totp_secret,
            confirmed_at=row.totp_since,
            last_step=row.totp_step,
            recovery=tuple(row.recovery),
            now_s=row.now_s,
        )

    def begin(self, person: UUID, sealed: bytes) -> None:
        """Store a secret that is not confirmed yet. Raises AuthenticatorAlreadyOn."""
        if self.lock(person).confirmed_at:
            raise AuthenticatorAlreadyOn
        values = {**WITHOUT_TOTP, "totp_secret": sealed}
        self._update(person, **values)

    def turn_on(
        self, authenticator: Authenticator, step: int, recovery: Sequence[str]
    ) -> None:
        self._update(
            authenticator.person,
            totp_since=NOW,
            totp_step=step,
            recovery=list(recovery),
        )
        self._record(Event.TOTP_ON, authenticator)

    def turn_off(self, authenticator: Authenticator) -> None:
        self._update(authenticator.person, **WITHOUT_TOTP)
        self._record(Event.TOTP_OFF, authenticator)

    def use_step(self, authenticator: Authenticator, step: int) -> None:
        """Note that the code of a time step was used, so that it is not accepted again."""
        self._update(authenticator.person, totp_step=step)

    def use_recovery(self, authenticator: Authenticator, code_hash: str) -> None:
        remaining = [
            unused_hash
            for unused_hash in authenticator.recovery
            if unused_hash != code_hash
        ]
        self._update(authenticator.person, recovery=remaining)

    def _update(self, person: UUID, **values: object) -> None:
        self._session.execute(
            update(PersonRow).where(PersonRow.id == person).values(**values)
        )

    def _record(self, event: Event, authenticator: Authenticator) -> None:
        entry = AuditEntry(
            event=event,
            hospital_id=authenticator.hospital,
            details={"person": str(authenticator.person)},
        )
        self._audit.record_all([entry])
