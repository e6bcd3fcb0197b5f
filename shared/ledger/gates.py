"""Candidates judged against what was live."""

from sqlalchemy.orm import Session

from shared.ledger.audit import AuditTrail


class Gates:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit
