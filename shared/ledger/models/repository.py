"""Stored models and the append-only ledger of promotions."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.domain.model_standing import ModelStanding
from shared.domain.models import ModelUnknown, PromotionKind
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.edit_conflicts import ETags
from shared.ledger.models import (
    gate_judgements,
    promotions,
    second_operator,
    standing,
)
from shared.ledger.models.promotions import (
    AlreadyLive,
    LivePromotion,
    NoEarlierModel,
    Promotion,
    PromotionNeedsReason,
)
from shared.ledger.models.second_operator import (
    PromotionNeedsPeople,
    PromotionNeedsSecondOperator,
    Proposal,
)
from shared.ledger.models.shadows import Shadows
from shared.ledger.tables import ModelRow, PromotionRow

MIN_DIGEST_CHARACTERS = 8
"""A shorter text is not searched for as the beginning of a digest."""


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
        """Store a bundle's row under the next version of its name; returns the version.

        Storing the same digest again changes nothing.
        """
        self._session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('sera.models'))")
        )
        query = select(ModelRow.version).where(ModelRow.digest == digest)
        stored_version = self._session.scalar(query)
        if stored_version is not None:
            return stored_version
        version = self._next_version(name)
        row = ModelRow(
            digest=digest,
            name=name,
            version=version,
            recipe=recipe,
            run_id=run_id,
            synthetic=synthetic,
            metrics=metrics,
        )
        # A JSON column that is set to None would hold a JSON null instead of an SQL NULL.
        if reference is not None:
            row.reference = reference
        if card is not None:
            row.card = card
        self._session.add(row)
        self._session.flush()
        self._audit.record(Event.MODEL_STORED, model=digest, name=name, version=version)
        return version

    def live_digest(self) -> str | None:
        """The digest of the live model; None before the first promotion."""
        return promotions.live_digest(self._session)

    def live_promotion(self) -> LivePromotion | None:
        """None before the first promotion."""
        return promotions.live_promotion(self._session)

    def tag(self) -> str:
        """An ETag that changes with the live model."""
        return promotions.tag(self._session)

    def promotion_stack(self) -> list[str]:
        """Digests from the live model down to the first: each rollback makes the next one live."""
        return promotions.promotion_stack(self._session)

    def promote(
        self, digest: str, actor: str, reason: str | None, tags: ETags = None
    ) -> None:
        """Make a model live.

        Without the gate's approval against the live model, a reason is required, and two people
        where there are two operators: the first proposes, which is recorded. The transaction has
        to be committed after `PromotionNeedsSecondOperator` too.

        Raises
        ------
        EditConflict, ModelUnknown, AlreadyLive, PromotionNeedsReason, PromotionNeedsPeople,
        PromotionNeedsSecondOperator
        """
        promotions.lock_promotions(self._session, tags)
        row = self._session.get(ModelRow, digest)
        if row is None:
            raise ModelUnknown(name=digest)
        name = f"{row.name}/{row.version}"
        live = self.live_digest()
        if digest == live:
            raise AlreadyLive(name=name)
        judgement = gate_judgements.latest(self._session, digest)
        objection = promotions.objection(judgement, live)
        written_reason = (reason or "").strip()
        if objection and len(written_reason) < promotions.MIN_REASON_CHARACTERS:
            raise PromotionNeedsReason(
                objection=objection, least=promotions.MIN_REASON_CHARACTERS, name=name
            )
        if objection and second_operator.is_needed(self._session):
            self._check_second_operator(digest, live, actor, written_reason, objection)
        gate_id = judgement.id if judgement else None
        self._append(
            kind=PromotionKind.PROMOTE,
            digest=digest,
            actor=actor,
            reason=written_reason or None,
            gate_id=gate_id,
        )
        self._audit.record(
            Event.MODEL_PROMOTED,
            model=digest,
            reason=written_reason or None,
            before=live,
            gate=gate_id,
            verdict=judgement.verdict if judgement else None,
            objection=objection.code if objection else None,
        )
        self._shadows.end_for_model(digest, Message("shadow-promoted"))

    def proposals(self) -> list[Proposal]:
        """The proposals to promote a model against the gate that wait for a second operator."""
        return second_operator.pending_proposals(self._session, self.live_digest())

    def standing(self, digest: str) -> ModelStanding:
        """What results have to say of the model besides its bundle's own facts."""
        return standing.model_standing(self._session, digest)

    def rollback(self, actor: str, reason: str | None, tags: ETags = None) -> str:
        """Make the model live again that was live before the present one; returns its digest.

        Raises
        ------
        EditConflict, NoEarlierModel
        """
        promotions.lock_promotions(self._session, tags)
        stack = self.promotion_stack()
        if len(stack) < 2:
            raise NoEarlierModel
        live = stack[0]
        earlier = stack[1]
        written_reason = (reason or "").strip() or None
        self._append(
            kind=PromotionKind.ROLLBACK,
            digest=earlier,
            actor=actor,
            reason=written_reason,
            gate_id=None,
        )
        self._audit.record(
            Event.MODEL_ROLLED_BACK, model=earlier, before=live, reason=written_reason
        )
        self._shadows.end_for_model(earlier, Message("shadow-live-again"))
        return earlier

    def history(self, limit: int = 100) -> list[Promotion]:
        """Newest first."""
        return promotions.history(self._session, limit)

    def find(self, name_or_digest: str) -> Model:
        """The model of a digest, of a unique beginning of one, of `name/version`, or of a name.

        A name means its latest version. Raises ModelUnknown.
        """
        for model in self.all():
            if _matches(model, name_or_digest):
                return model
        raise ModelUnknown(name=name_or_digest)

    def all(self) -> list[Model]:
        """Newest first."""
        live = self.live_digest()
        query = select(ModelRow).order_by(ModelRow.created_at.desc())
        return [_model(row, live) for row in self._session.scalars(query)]

    def _check_second_operator(
        self,
        digest: str,
        live: str | None,
        actor: str,
        reason: str,
        objection: Message,
    ) -> None:
        """Record a proposal, unless another person has made it.

        Raises
        ------
        PromotionNeedsPeople, PromotionNeedsSecondOperator
        """
        row = self._session.get_one(ModelRow, digest)
        name = f"{row.name}/{row.version}"
        if not second_operator.is_person(actor):
            raise PromotionNeedsPeople(objection=objection, name=name)
        if second_operator.is_proposed_by_another(self._session, digest, live, actor):
            return
        self._audit.record(
            Event.MODEL_PROMOTION_PROPOSED,
            model=digest,
            before=live,
            reason=reason,
            objection=objection.code,
        )
        raise PromotionNeedsSecondOperator(objection=objection, name=name)

    def _next_version(self, name: str) -> int:
        last_version = func.coalesce(func.max(ModelRow.version), 0)
        query = select(last_version).where(ModelRow.name == name)
        return self._session.scalars(query).one() + 1

    def _append(
        self,
        kind: PromotionKind,
        digest: str,
        actor: str,
        reason: str | None,
        gate_id: int | None,
    ) -> None:
        row = PromotionRow(
            kind=kind,
            model_digest=digest,
            actor=actor,
            reason=reason,
            gate_id=gate_id,
        )
        self._session.add(row)
        self._session.flush()


def _model(row: ModelRow, live: str | None) -> Model:
    values = {
        field.name: getattr(row, field.name)
        for field in fields(Model)
        if field.name != "live"
    }
    return Model(**values, live=row.digest == live)


def _matches(model: Model, name_or_digest: str) -> bool:
    if name_or_digest in (model.name, f"{model.name}/{model.version}"):
        return True
    is_digest = len(name_or_digest) >= MIN_DIGEST_CHARACTERS
    return is_digest and model.digest.startswith(name_or_digest)
