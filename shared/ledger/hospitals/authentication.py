"""Authenticates API keys.

One SQL statement verifies the key and switches the transaction to the database role of the key's
hospital.
"""

from datetime import timedelta

from sqlalchemy import text

from shared.domain.roles import Role
from shared.ledger.db_role import (
    HOSPITAL_ROLE,
    SYSTEM_ROLE,
    DatabaseRole,
    translate_database_errors,
)
from shared.ledger.hospitals.api_keys import PREFIX, USE_NOTED_EVERY, hash_secret
from shared.ledger.hospitals.repository import Caller
from shared.ledger.system_session import SystemSession
from shared.ledger.transaction import Transaction

ACTOR = "gateway"
VERIFY = text(
    f"""
    SELECT k.role, k.hospital_id,
        k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - :noted_every AS use_is_due,
        set_config('sera.hospital', coalesce(k.hospital_id::text, ''), true),
        set_config('role', CASE WHEN k.hospital_id IS NULL
            THEN '{SYSTEM_ROLE}' ELSE '{HOSPITAL_ROLE}' END, true)
    FROM sera_caller_of_key(:key_id, :secret) k
    """
)


def authenticate_key(
    transaction: Transaction, key: str, noted_every: timedelta = USE_NOTED_EVERY
) -> Caller | None:
    """Return the caller of this key; None if the key is unknown, expired or revoked.

    The transaction continues under the role of the key's hospital, or of the system. The time of
    the key's use is stored at most once per `noted_every`. It is committed at once, so that it
    stays even if the request fails later.

    Raises Unavailable.
    """
    parts = key.split("_", 2)
    if len(parts) != 3 or parts[0] != PREFIX:
        return None
    key_id = parts[1]
    secret = parts[2]
    values = {
        "key_id": key_id,
        "secret": hash_secret(secret),
        "noted_every": noted_every,
    }
    with translate_database_errors():
        row = transaction.run_first(
            lambda session: session.execute(VERIFY, values).first()
        )
    if row is None:
        return None
    caller = Caller(credential=key_id, role=Role(row.role), hospital_id=row.hospital_id)
    transaction.note_role(DatabaseRole(caller.hospital_id))
    if row.use_is_due:
        SystemSession(transaction, ACTOR).api_keys.note_use(key_id)
        transaction.commit()
    return caller
