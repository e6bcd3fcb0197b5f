"""Candidates that read live traffic beside the live model."""

from sqlalchemy.orm import Session

from shared.ledger.audit import AuditTrail


class Shadows:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit
