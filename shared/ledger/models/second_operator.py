"""A promotion against the gate's word needs two operators, where there are two.

The proposal of the first is an event of the audit trail, which nobody can change. The second one promotes
the same model in place of the same live model.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.errors import Conflict
from shared.ledger.tables import AuditRow, ModelRow, PersonRow, PromotionRow

PERSON_PREFIX = "person:"
"""With this the actor of a signed-in person begins. A key is nobody in particular."""


class PromotionNeedsSecondOperator(Conflict):
    code = "promotion-needs-second-operator"
    text = (
        "{objection} There are several operators, so one alone cannot go against that. Your proposal "
        "and your reason are recorded: another operator has to sign in and make {name} live too."
    )


class PromotionNeedsPeople(Conflict):
    code = "promotion-needs-people"
    text = (
        "{objection} There are several operators, so two of them have to sign in and make {name} "
        "live, one after the other. A key cannot do it."
    )


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A proposal that waits for a second operator. `actor` is the person who made it."""

    model_digest: str
    name: str
    version: int
    actor: str
    at: datetime
    reason: str


def is_needed(session: Session) -> bool:
    """Whether two or more people are operators."""
    query = (
        select(func.count())
        .select_from(PersonRow)
        .where(PersonRow.role == Role.OPERATOR, PersonRow.disabled_at.is_(None))
    )
    return session.scalars(query).one() >= 2


def is_person(actor: str) -> bool:
    return actor.startswith(PERSON_PREFIX)


def is_proposed_by_another(
    session: Session, digest: str, live: str | None, actor: str
) -> bool:
    """Whether another person proposed this promotion since the last change of the live one."""
    query = (
        select(AuditRow.actor)
        .where(
            *_is_pending(live),
            AuditRow.details.op("->>")("model") == digest,
            AuditRow.actor != actor,
        )
        .limit(1)
    )
    return session.scalar(query) is not None


def pending_proposals(session: Session, live: str | None) -> list[Proposal]:
    """The proposals that wait for a second operator, oldest first.

    Of several for one model by one person the first.
    """
    model = AuditRow.details.op("->>")("model")
    columns = (model.label("model"), AuditRow.actor, AuditRow.at, AuditRow.details)
    first = (
        select(*columns)
        .ext(distinct_on(model, AuditRow.actor))
        .where(*_is_pending(live))
        .order_by(model, AuditRow.actor, AuditRow.at)
        .subquery()
    )
    query = (
        select(first, ModelRow.name, ModelRow.version)
        .join(ModelRow, ModelRow.digest == first.c.model)
        .order_by(first.c.at)
    )
    return [
        Proposal(
            model_digest=row.model,
            name=row.name,
            version=row.version,
            actor=row.actor,
            at=row.at,
            reason=row.details["reason"],
        )
        for row in session.execute(query)
    ]


def _is_pending(live: str | None) -> tuple[ColumnElement[bool], ...]:
    """A person's proposal to replace the live model, since the last change of the live one."""
    last_change = select(func.max(PromotionRow.at)).scalar_subquery()
    return (
        AuditRow.hospital_id.is_(None),
        AuditRow.event == Event.MODEL_PROMOTION_PROPOSED,
        AuditRow.details.op("->>")("before").is_not_distinct_from(live),
        AuditRow.actor.startswith(PERSON_PREFIX),
        func.coalesce(AuditRow.at > last_change, True),
    )
