"""The ledger of promotions, read as a stack.

A promotion puts a model on top of the stack, and a rollback takes the top model off.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from shared.domain.messages import Message
from shared.domain.models import GateVerdict, PromotionKind
from shared.errors import Conflict
from shared.ledger.edit_conflicts import ETags, check_tags
from shared.ledger.models.gate_judgements import GateJudgement
from shared.ledger.tables import GateJudgementRow, ModelRow, PromotionRow

MIN_REASON_CHARACTERS = 10


class AlreadyLive(Conflict):
    code = "already-live"
    text = "{name} is live already. Choose another model: ./sera models list, or GET /v1/models."


class NoEarlierModel(Conflict):
    code = "nothing-to-roll-back-to"
    text = (
        "No model was live before the present one. Promote another: ./sera models list, or GET "
        "/v1/models."
    )


class PromotionNeedsReason(Conflict):
    code = "promotion-needs-reason"
    text = (
        "{objection} To promote it all the same, say why in at least {least} characters, which go "
        "into the audit trail: ./sera models promote {name} --reason '...', or `reason` in the "
        "request."
    )


@dataclass(frozen=True)
class Promotion:
    """One row of the ledger: the model that became live, with the actor and the reason."""

    id: int
    kind: PromotionKind
    model_digest: str
    name: str
    version: int
    gate_id: int | None
    verdict: GateVerdict | None
    actor: str
    reason: str | None
    at: datetime


@dataclass(frozen=True)
class LivePromotion:
    """The digest of the live model, and the number of its promotion or rollback."""

    digest: str
    number: int


LATEST_PROMOTION = (
    select(PromotionRow.model_digest, PromotionRow.id)
    .order_by(PromotionRow.id.desc())
    .limit(1)
)
"""Selects the promotion or rollback that made the present model live."""


def lock_promotions(session: Session, tags: ETags = None) -> None:
    """Exclude other promotions and rollbacks until the transaction ends.

    Raises EditConflict.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('sera.promotions'))"))
    check_tags(tags, tag(session), lambda: _describe_conflict(session))


def tag(session: Session) -> str:
    """Return the number of the latest promotion or rollback, which changes with the live model."""
    live = live_promotion(session)
    return str(live.number) if live else "0"


def live_digest(session: Session) -> str | None:
    """The digest of the live model; None before the first promotion."""
    live = live_promotion(session)
    return live.digest if live else None


def live_promotion(session: Session) -> LivePromotion | None:
    """None before the first promotion."""
    row = session.execute(LATEST_PROMOTION).first()
    if row is None:
        return None
    return LivePromotion(digest=row.model_digest, number=row.id)


def promotion_stack(session: Session) -> list[str]:
    """Digests from the live model down to the first model."""
    stack: list[str] = []
    query = select(PromotionRow.kind, PromotionRow.model_digest).order_by(
        PromotionRow.id
    )
    for kind, digest in session.execute(query):
        if kind == PromotionKind.ROLLBACK:
            stack.pop()
        elif stack[-1:] != [digest]:
            stack.append(digest)
    return stack[::-1]


def history(session: Session, limit: int) -> list[Promotion]:
    """Return promotions and rollbacks, latest first."""
    query = (
        select(PromotionRow, ModelRow.name, ModelRow.version, GateJudgementRow.verdict)
        .join(ModelRow, ModelRow.digest == PromotionRow.model_digest)
        .outerjoin(GateJudgementRow, GateJudgementRow.id == PromotionRow.gate_id)
        .order_by(PromotionRow.id.desc())
        .limit(limit)
    )
    return [_promotion(row) for row in session.execute(query)]


def objection(judgement: GateJudgement | None, live: str | None) -> Message | None:
    """Return the objection of the gate against a promotion; None if there is none.

    `live` is the digest of the live model. If no model is live, the candidate cannot be inferior to
    one. So the first model needs no judgement, unless it failed one.
    """
    has_failed = judgement is not None and judgement.verdict is GateVerdict.FAILED
    if live is None and not has_failed:
        return None
    if judgement is None:
        return Message("objection-unjudged")
    if judgement.verdict is GateVerdict.FAILED:
        return Message("objection-failed", {"against": judgement.objections})
    if judgement.verdict is GateVerdict.NOT_JUDGED:
        return Message("objection-not-judged", {"against": judgement.objections})
    if judgement.live_digest != live:
        facts = {"live": (live or "")[:12]}
        if judgement.live_digest:
            facts["before"] = judgement.live_digest[:12]
        return Message("objection-passed", facts)
    return None


def _describe_conflict(session: Session) -> str:
    promotions = history(session, limit=1)
    if not promotions:
        return "No model is live yet."
    newest = promotions[0]
    return (
        f"{newest.name}/{newest.version} was made live ({newest.kind}) by {newest.actor} "
        f"at {newest.at:%H:%M:%S %Z}."
    )


def _promotion(row: Row[PromotionRow, str, int, str | None]) -> Promotion:
    promotion, name, version, verdict = row
    return Promotion(
        id=promotion.id,
        kind=PromotionKind(promotion.kind),
        model_digest=promotion.model_digest,
        name=name,
        version=version,
        gate_id=promotion.gate_id,
        verdict=GateVerdict(verdict) if verdict else None,
        actor=promotion.actor,
        reason=promotion.reason,
        at=promotion.at,
    )
