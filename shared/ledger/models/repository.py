"""Stored models and the append-only ledger of promotions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.domain.models import ModelUnknown, PromotionKind
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.edit_conflicts import ETags
from shared.ledger.models import gate_judgements, promotions
from shared.ledger.models.promotions import (
    AlreadyLive,
    LivePromotion,
    NothingToRollBackTo,
    Promotion,
    PromotionNeedsReason,
)
from shared.ledger.models.shadows import Shadows
from shared.ledger.tables import ModelRow, PromotionRow


@dataclass(frozen=True)
class Model:
    digest: str
    name: str
    version: int
    recipe: str
    run_id: UUID | None
    synthetic: bool
    metrics: dict[str, Any]
    created_at: datetime
    live: bool


class Models:
    def __init__(self, session: Session, audit: AuditTrail, shadows: Shadows) -> None:
        self._session = session
        self._audit = audit
        self._shadows = shadows

    def store(
        self,
        digest: str,
        name: str,
        recipe: str,
        run_id: UUID | None,
        synthetic: bool,
        metrics: dict[str, Any],
        *,
        reference: dict[str, Any] | None = None,
        card: dict[str, Any] | None = None,
    ) -> int:
        """Keep a bundle's row under the next version of its name; storing the same digest again changes nothing."""
        self._session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('sera.models'))")
        )
        known = self._session.scalar(
            select(ModelRow.version).where(ModelRow.digest == digest)
        )
        if known is not None:
            return known
        newest = select(func.coalesce(func.max(ModelRow.version), 0)).where(
            ModelRow.name == name
        )
        version = self._session.scalars(newest).one() + 1
        row = {"digest": digest, "name": name, "version": version, "recipe": recipe}
        row |= {
            name: held
            for name, held in {"reference": reference, "card": card}.items()
            if held is not None
        }
        self._session.add(
            ModelRow(**row, run_id=run_id, synthetic=synthetic, metrics=metrics)
        )
        self._session.flush()
        self._audit.record(Event.MODEL_STORED, model=digest, name=name, version=version)
        return version

    def live_digest(self) -> str | None:
        """Digest of the live model; None before the first promotion."""
        return promotions.live_digest(self._session)

    def live_promotion(self) -> LivePromotion | None:
        """What is live; None before the first promotion."""
        return promotions.live_promotion(self._session)

    def tag(self) -> str:
        """Changes with what is live."""
        return promotions.tag(self._session)

    def promotion_stack(self) -> list[str]:
        """Digests from the live model down to the first one: what rollbacks lead to, one after another."""
        return promotions.promotion_stack(self._session)

    def promote(
        self, digest: str, actor: str, reason: str | None, tags: ETags = None
    ) -> None:
        """Make a model live that the gate passed against the present one, or for a written reason.

        Raises
        ------
        ChangedMeanwhile, ModelUnknown, AlreadyLive, PromotionNeedsReason
        """
        promotions.lock_promotions(self._session, tags)
        row = self._session.get(ModelRow, digest)
        if row is None:
            raise ModelUnknown(name=digest)
        live = self.live_digest()
        gate = gate_judgements.latest(self._session, digest)
        name = f"{row.name}/{row.version}"
        if digest == live:
            raise AlreadyLive(name=name)
        objection = promotions.objection(gate, live)
        why = (reason or "").strip()
        if objection and len(why) < promotions.MIN_REASON_CHARACTERS:
            raise PromotionNeedsReason(
                objection=objection, least=promotions.MIN_REASON_CHARACTERS, name=name
            )
        self._append(
            PromotionKind.PROMOTE, digest, actor, why or None, gate.id if gate else None
        )
        self._audit.record(
            Event.MODEL_PROMOTED,
            model=digest,
            reason=why or None,
            before=live,
            gate=gate.id if gate else None,
            verdict=gate.verdict if gate else None,
            objection=objection.code if objection else None,
        )
        self._shadows.end_for_model(digest, Message("shadow-promoted"))

    def rollback(self, actor: str, reason: str | None, tags: ETags = None) -> str:
        """Make the model live again that was live before the present one; returns its digest.

        Raises
        ------
        ChangedMeanwhile, NothingToRollBackTo
        """
        promotions.lock_promotions(self._session, tags)
        stack = self.promotion_stack()
        if len(stack) < 2:
            raise NothingToRollBackTo
        why = (reason or "").strip() or None
        self._append(PromotionKind.ROLLBACK, stack[1], actor, why, None)
        self._audit.record(
            Event.MODEL_ROLLED_BACK, model=stack[1], before=stack[0], reason=why
        )
        self._shadows.end_for_model(stack[1], Message("shadow-live-again"))
        return stack[1]

    def history(self, limit: int = 100) -> list[Promotion]:
        """What was live when, newest first."""
        return promotions.history(self._session, limit)

    def find(self, name_or_digest: str) -> Model:
        """By digest, a unique start of one, `name/version`, or a name (its newest version)."""
        matches = [model for model in self.all() if _means(name_or_digest, model)]
        if not matches:
            raise ModelUnknown(name=name_or_digest)
        return matches[0]

    def all(self) -> list[Model]:
        """Newest first."""
        live = self.live_digest()
        names = [name for name in Model.__dataclass_fields__ if name != "live"]
        rows = self._session.scalars(
            select(ModelRow).order_by(ModelRow.created_at.desc())
        )
        return [
            Model(
                **{name: getattr(row, name) for name in names}, live=row.digest == live
            )
            for row in rows
        ]

    def _append(
        self,
        kind: PromotionKind,
        digest: str,
        actor: str,
        reason: str | None,
        gate: int | None,
    ) -> None:
        self._session.add(
            PromotionRow(
                kind=kind, model_digest=digest, actor=actor, reason=reason, gate_id=gate
            )
        )
        self._session.flush()


def _means(text: str, model: Model) -> bool:
    return text in (model.name, f"{model.name}/{model.version}") or (
        len(text) >= 8 and model.digest.startswith(text)
    )
