"""What monitoring reads."""

from sqlalchemy.orm import Session

from shared.ledger.audit import AuditTrail


class Observations:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit
