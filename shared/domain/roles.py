"""Who a key or a session speaks for."""

from enum import StrEnum


class Role(StrEnum):
    SUBMITTER = "submitter"
    READER = "reader"
    HOSPITAL_ADMIN = "hospital_admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Act(StrEnum):
    """What a route asks leave for."""

    SUBMIT = "submit"
    READ = "read"
    RERUN = "rerun"
    """A dead letter. Whoever may submit may do it: sending the image again would come to the same."""
    OPERATE = "operate"
    AUDIT = "audit"
    ADMINISTER = "administer"
    MONITOR = "monitor"
    MANAGE_KEYS = "manage-keys"
    MANAGE_PEOPLE = "manage-people"


MAY: dict[Role, frozenset[Act]] = {
    Role.SUBMITTER: frozenset({Act.SUBMIT, Act.READ, Act.RERUN}),
    Role.READER: frozenset({Act.READ}),
    Role.HOSPITAL_ADMIN: frozenset(
        {
            Act.SUBMIT,
            Act.READ,
            Act.RERUN,
            Act.AUDIT,
            Act.ADMINISTER,
            Act.MONITOR,
            Act.MANAGE_KEYS,
            Act.MANAGE_PEOPLE,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            Act.OPERATE,
            Act.RERUN,
            Act.AUDIT,
            Act.MONITOR,
            Act.MANAGE_KEYS,
            Act.MANAGE_PEOPLE,
        }
    ),
    Role.AUDITOR: frozenset({Act.AUDIT, Act.MONITOR}),
}

HOSPITAL_ROLES = frozenset({Role.SUBMITTER, Role.READER, Role.HOSPITAL_ADMIN})
"""Roles whose keys and people belong to one hospital and see only its cases."""

STAFF_ROLES = frozenset({Role.SUBMITTER, Role.READER})
"""Roles whose keys and people a hospital's administrator makes and ends."""


def needed_for(act: Act) -> str:
    return " or ".join(role for role in Role if act in MAY[role])
