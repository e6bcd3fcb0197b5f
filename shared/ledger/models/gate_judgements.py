"""Candidates judged against what was live. Append-only: a new judgement is a new row, and the last one counts."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.tables import GateJudgementRow


@dataclass(frozen=True)
class GateJudgement:
    """A judgement on record. `live_digest` is the model it was judged against; None where none was live."""

    id: int
    model_digest: str
    live_digest: str | None
    version_id: UUID | None
    run_id: UUID | None
    verdict: GateVerdict
    reasons: tuple[GateReason, ...]
    figures: dict[str, Any]
    policy: dict[str, Any]
    created_at: datetime

    @property
    def objections(self) -> list[Message]:
        """What speaks against the candidate."""
        return [
            reason.message for reason in self.reasons if reason.weight is Weight.AGAINST
        ]


class GateJudgements:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def record(
        self,
        model_digest: str,
        live_digest: str | None,
        version_id: UUID | None,
        run_id: UUID | None,
        judgement: Judgement,
    ) -> GateJudgement:
        """Keep a judgement of a stored model against the model that was live when it was judged."""
        row = GateJudgementRow(
            model_digest=model_digest,
            live_digest=live_digest,
            version_id=version_id,
            run_id=run_id,
            verdict=judgement.verdict,
            reasons=[reason.to_json() for reason in judgement.reasons],
            figures=judgement.figures,
            policy=judgement.policy,
        )
        self._session.add(row)
        self._session.flush()
        codes = [
            reason.code
            for reason in judgement.reasons
            if reason.weight is Weight.AGAINST
        ]
        self._audit.record(
            Event.MODEL_GATED,
            gate=row.id,
            model=model_digest,
            live=live_digest,
            verdict=judgement.verdict,
            against=codes,
        )
        return _gate(row)

    def latest(self, model_digest: str) -> GateJudgement | None:
        """The judgement that counts; None where the model was never judged."""
        return latest(self._session, model_digest)

    def of_model(self, model_digest: str) -> list[GateJudgement]:
        """All judgements of a model, newest first."""
        query = (
            select(GateJudgementRow)
            .where(GateJudgementRow.model_digest == model_digest)
            .order_by(GateJudgementRow.id.desc())
        )
        return [_gate(row) for row in self._session.scalars(query)]

    def latest_by_model(self) -> dict[str, GateJudgement]:
        """The judgement that counts of every model that has one, by digest."""
        query = (
            select(GateJudgementRow)
            .ext(distinct_on(GateJudgementRow.model_digest))
            .order_by(GateJudgementRow.model_digest, GateJudgementRow.id.desc())
        )
        return {row.model_digest: _gate(row) for row in self._session.scalars(query)}


def latest(session: Session, model_digest: str) -> GateJudgement | None:
    query = (
        select(GateJudgementRow)
        .where(GateJudgementRow.model_digest == model_digest)
        .order_by(GateJudgementRow.id.desc())
        .limit(1)
    )
    row = session.scalar(query)
    return _gate(row) if row else None


def _gate(row: GateJudgementRow) -> GateJudgement:
    facts = {field.name: getattr(row, field.name) for field in fields(GateJudgement)}
    reasons = tuple(GateReason.from_json(reason) for reason in row.reasons)
    return GateJudgement(**facts | {"verdict": GateVerdict(row.verdict), "reasons": reasons})
