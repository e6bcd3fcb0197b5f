"""The ledger of promotions, read as a stack: a promotion puts a model on top, a rollback takes the top one off."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
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


class NothingToRollBackTo(Conflict):
    code = "nothing-to-roll-back-to"
    text = "No model was live before the present one. Promote another: ./sera models list, or GET /v1/models."


class PromotionNeedsReason(Conflict):
    code = "promotion-needs-reason"
    text = (
        "{objection} To promote it all the same, say why in at least {least} characters, which go into the audit trail: "
        "./sera models promote {name} --reason '...', or `reason` in the request."
    )


@dataclass(frozen=True)
class Promotion:
    """One row of the ledger: the model that was live from then on, and who made it so and why."""

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
    """The digest of the live model, and the number of the promotion or rollback that made it so."""

    digest: str
    number: int


NEWEST_PROMOTION = (
    select(PromotionRow.model_digest, PromotionRow.id)
    .order_by(PromotionRow.id.desc())
    .limit(1)
)
"""The row that made the live model live."""


def lock_promotions(session: Session, tags: ETags = None) -> None:
    """Let one promotion or rollback happen at a time, until the transaction ends; raises ChangedMeanwhile."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('sera.promotions'))"))
    check_tags(tags, tag(session), lambda: _what(session))


def tag(session: Session) -> str:
    """The number of the row that made the live model live; changes with it."""
    newest = live_promotion(session)
    return str(newest.number) if newest else "0"


def live_digest(session: Session) -> str | None:
    """Digest of the live model; None before the first promotion."""
    newest = live_promotion(session)
    return newest.digest if newest else None


def live_promotion(session: Session) -> LivePromotion | None:
    """What is live; None before the first promotion."""
    row = session.execute(NEWEST_PROMOTION).first()
    return LivePromotion(digest=row.model_digest, number=row.id) if row else None


def promotion_stack(session: Session) -> list[str]:
    """Digests from the live model down to the first."""
    stack: list[str] = []
    rows = select(PromotionRow.kind, PromotionRow.model_digest).order_by(
        PromotionRow.id
    )
    for kind, digest in session.execute(rows):
        if kind == PromotionKind.ROLLBACK:
            stack.pop()
        elif stack[-1:] != [digest]:
            stack.append(digest)
    return stack[::-1]


def history(session: Session, limit: int) -> list[Promotion]:
    """Newest first."""
    query = (
        select(PromotionRow, ModelRow.name, ModelRow.version, GateJudgementRow.verdict)
        .join(ModelRow, ModelRow.digest == PromotionRow.model_digest)
        .outerjoin(GateJudgementRow, GateJudgementRow.id == PromotionRow.gate_id)
        .order_by(PromotionRow.id.desc())
        .limit(limit)
    )
    return [_promotion(*row) for row in session.execute(query)]


def objection(gate: GateJudgement | None, live: str | None) -> Message | None:
    """Why the gate does not speak for a promotion; None where it does.

    Nothing live is nothing to be inferior to, so a first model needs no gate, unless it failed one.
    """
    if live is None and (gate is None or gate.verdict is not GateVerdict.FAILED):
        return None
    if gate is None:
        return Message("objection-unjudged")
    if gate.verdict is GateVerdict.FAILED:
        return Message("objection-failed", {"against": gate.objections})
    if gate.verdict is GateVerdict.NOT_JUDGED:
        return Message("objection-not-judged", {"against": gate.objections})
    if gate.live_digest != live:
        facts = {"live": (live or "")[:12]}
        if gate.live_digest:
            facts["before"] = gate.live_digest[:12]
        return Message("objection-passed", facts)
    return None


def _what(session: Session) -> str:
    for row in history(session, 1):
        return f"{row.name}/{row.version} was made live ({row.kind}) by {row.actor} at {row.at:%H:%M:%S %Z}."
    return "No model is live yet."


def _promotion(
    row: PromotionRow, name: str, version: int, verdict: str | None
) -> Promotion:
    return Promotion(
        row.id,
        PromotionKind(row.kind),
        row.model_digest,
        name,
        version,
        row.gate_id,
        GateVerdict(verdict) if verdict else None,
        row.actor,
        row.reason,
        row.at,
    )
