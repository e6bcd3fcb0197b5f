"""Judgements of the gate: candidates compared with the model that was live.

The table is append-only: a new judgement is a new row, and a model's latest judgement counts.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.tables import GateJudgementRow


@dataclass(frozen=True)
class GateJudgement:
    """A stored judgement.

    `live_digest` is the model with which the candidate was compared; None if no model was live.
    """

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
        """The reasons against the candidate."""
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
        """Store the judgement of a model against the model that was live at that time."""
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
        against = [
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
            against=against,
        )
        return _gate_judgement(row)

    def latest(self, model_digest: str) -> GateJudgement | None:
        """The judgement that counts; None if the model was never judged."""
        return latest(self._session, model_digest)

    def of_model(self, model_digest: str) -> list[GateJudgement]:
        """All judgements of a model, newest first."""
        query = _select_of_model(model_digest)
        return [_gate_judgement(row) for row in self._session.scalars(query)]

    def latest_by_model(self) -> dict[str, GateJudgement]:
        """Return the latest judgement of every judged model, by digest."""
        query = (
            select(GateJudgementRow)
            .ext(distinct_on(GateJudgementRow.model_digest))
            .order_by(GateJudgementRow.model_digest, GateJudgementRow.id.desc())
        )
        rows = self._session.scalars(query)
        return {row.model_digest: _gate_judgement(row) for row in rows}


def latest(session: Session, model_digest: str) -> GateJudgement | None:
    row = session.scalar(_select_of_model(model_digest).limit(1))
    return _gate_judgement(row) if row else None


def find(session: Session, gate_id: int | None) -> GateJudgement | None:
    """The judgement with this id; None for None."""
    row = session.get(GateJudgementRow, gate_id) if gate_id is not None else None
    return _gate_judgement(row) if row else None


def _select_of_model(model_digest: str) -> Select[GateJudgementRow]:
    return (
        select(GateJudgementRow)
        .where(GateJudgementRow.model_digest == model_digest)
        .order_by(GateJudgementRow.id.desc())
    )


def _gate_judgement(row: GateJudgementRow) -> GateJudgement:
    values = {field.name: getattr(row, field.name) for field in fields(GateJudgement)}
    values["verdict"] = GateVerdict(row.verdict)
    values["reasons"] = tuple(GateReason.from_json(reason) for reason in row.reasons)
    return GateJudgement(**values)
