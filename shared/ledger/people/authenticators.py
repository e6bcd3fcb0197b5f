"""People's authenticators: their sealed secrets, which codes were used, and the recovery codes that are left."""

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
    text = "No authenticator was begun. Begin with POST /v1/session/totp, and confirm with the code that it shows."


@dataclass(frozen=True)
class Authenticator:
    """A person's as it is kept; `since` is None until it was confirmed. `now_s` is the database's clock."""

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
        """Held until the transaction ends, so that no code is used twice at once."""
        held = self._session.execute(
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
        ).one()
        return Authenticator(
            person=held.id,
            hospital=held.hospital_id,
            sealed=held.totp_secret,
            confirmed_at=held.totp_since,
            last_step=held.totp_step,
            recovery=tuple(held.recovery),
            now_s=held.now_s,
        )

    def begin(self, person: UUID, sealed: bytes) -> None:
        """Raises AuthenticatorOn."""
        if self.lock(person).confirmed_at:
            raise AuthenticatorAlreadyOn
        self._set(person, **WITHOUT_TOTP | {"totp_secret": sealed})

    def turn_on(self, its: Authenticator, step: int, recovery: Sequence[str]) -> None:
        self._set(its.person, totp_since=NOW, totp_step=step, recovery=list(recovery))
        self._record(Event.TOTP_ON, its)

    def turn_off(self, its: Authenticator) -> None:
        self._set(its.person, **WITHOUT_TOTP)
        self._record(Event.TOTP_OFF, its)

    def use_step(self, its: Authenticator, step: int) -> None:
        """Its code is not taken again."""
        self._set(its.person, totp_step=step)

    def use_recovery(self, its: Authenticator, used: str) -> None:
        self._set(its.person, recovery=[each for each in its.recovery if each != used])

    def _set(self, person: UUID, **told: object) -> None:
        self._session.execute(
            update(PersonRow).where(PersonRow.id == person).values(**told)
        )

    def _record(self, event: Event, its: Authenticator) -> None:
        self._audit.record_all(
            [AuditEntry(event, its.hospital, details={"person": str(its.person)})]
        )
