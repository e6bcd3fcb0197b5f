"""A promotion against the gate's word needs two operators, where there are two.

The proposal of the first is an event of the audit trail, which nobody can change. The second one promotes
the same model in place of the same live model.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.roles import Role
from shared.errors import Conflict
from shared.ledger.tables import AuditRow, PersonRow, PromotionRow

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
    last_change = select(func.max(PromotionRow.at)).scalar_subquery()
    query = (
        select(AuditRow.actor)
        .where(
            AuditRow.hospital_id.is_(None),
            AuditRow.event == Event.MODEL_PROMOTION_PROPOSED,
            AuditRow.details.op("->>")("model") == digest,
            AuditRow.details.op("->>")("before").is_not_distinct_from(live),
            AuditRow.actor.startswith(PERSON_PREFIX),
            AuditRow.actor != actor,
            func.coalesce(AuditRow.at > last_change, True),
        )
        .limit(1)
    )
    return session.scalar(query) is not None
