"""A model's standing: the gate's word when it was promoted, and its figures on the locked test."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.model_standing import LockedTestAuc, ModelStanding
from shared.domain.models import PromotionKind
from shared.domain.results.model_reference import GateStanding
from shared.domain.results.rates import Rate
from shared.ledger.models import gate_judgements, promotions
from shared.ledger.tables import PromotionRow


def model_standing(session: Session, digest: str) -> ModelStanding:
    """The standing of a model by its latest promotion and its latest judgement."""
    objection = _overruled_objection(session, digest)
    judgement = gate_judgements.latest(session, digest)
    figures = (judgement.figures.get("candidate") if judgement else None) or {}
    if objection:
        gate = GateStanding.OVERRULED
    elif judgement:
        gate = GateStanding.PASSED
    else:
        gate = GateStanding.NOT_ASKED
    return ModelStanding(
        gate=gate,
        objection=objection,
        test_sensitivity=_rate(figures.get("sensitivity")),
        test_specificity=_rate(figures.get("specificity")),
        test_auc=_auc(figures.get("auc")),
    )


def _overruled_objection(session: Session, digest: str) -> str | None:
    """The code of the gate's objection at the model's latest promotion; None if it had none."""
    newest = (
        select(PromotionRow.id, PromotionRow.gate_id)
        .where(
            PromotionRow.model_digest == digest,
            PromotionRow.kind == PromotionKind.PROMOTE,
        )
        .order_by(PromotionRow.id.desc())
        .limit(1)
    )
    promotion = session.execute(newest).first()
    if promotion is None:
        return None
    live_before = session.scalar(
        select(PromotionRow.model_digest)
        .where(PromotionRow.id < promotion.id)
        .order_by(PromotionRow.id.desc())
        .limit(1)
    )
    judgement = gate_judgements.find(session, promotion.gate_id)
    objection = promotions.objection(judgement, live_before)
    return objection.code if objection else None


def _rate(figure: Mapping[str, Any] | None) -> Rate | None:
    if not figure or figure["value"] is None:
        return None
    return Rate(
        value=figure["value"],
        low=figure["low"],
        high=figure["high"],
        count=figure["found"],
        of=figure["of"],
    )


def _auc(figure: Mapping[str, Any] | None) -> LockedTestAuc | None:
    if not figure:
        return None
    return LockedTestAuc(value=figure["value"], low=figure["low"], high=figure["high"])
