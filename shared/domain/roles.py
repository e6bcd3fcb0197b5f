"""Roles of API keys and sessions, and the permissions of each role."""

from enum import StrEnum


class Role(StrEnum):
    SUBMITTER = "submitter"
    READER = "reader"
    HOSPITAL_ADMIN = "hospital_admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """What a route requires of its caller."""

    SUBMIT = "submit"
    READ = "read"
    RERUN = "rerun"
    """Run a dead letter again. Every role that may submit cases may do this, because submitting the
    image again has the same effect.
    """
    OPERATE = "operate"
    AUDIT = "audit"
    ADMINISTER = "administer"
    MONITOR = "monitor"
    MANAGE_KEYS = "manage-keys"
    MANAGE_PEOPLE = "manage-people"


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.SUBMITTER: frozenset({Permission.SUBMIT, Permission.READ, Permission.RERUN}),
    Role.READER: frozenset({Permission.READ}),
    Role.HOSPITAL_ADMIN: frozenset(
        {
            Permission.SUBMIT,
            Permission.READ,
            Permission.RERUN,
            Permission.AUDIT,
            Permission.ADMINISTER,
            Permission.MONITOR,
            Permission.MANAGE_KEYS,
            Permission.MANAGE_PEOPLE,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            Permission.OPERATE,
            Permission.RERUN,
            Permission.AUDIT,
            Permission.MONITOR,
            Permission.MANAGE_KEYS,
            Permission.MANAGE_PEOPLE,
        }
    ),
    Role.AUDITOR: frozenset({Permission.AUDIT, Permission.MONITOR}),
}

HOSPITAL_ROLES = frozenset({Role.SUBMITTER, Role.READER, Role.HOSPITAL_ADMIN})
"""Roles whose keys and people belong to one hospital and see only its cases."""

STAFF_ROLES = frozenset({Role.SUBMITTER, Role.READER})
"""Roles that a hospital's administrator may give to keys and people."""


def roles_with(act: Permission) -> str:
    return " or ".join(role for role in Role if act in PERMISSIONS[role])
