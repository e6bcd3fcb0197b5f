"""Creates the first operator's account, so that this person can create all others."""

from shared.ledger.ledger import Ledger
from shared.security import passwords

ACTOR = "first-start"


def first_operator(ledger: Ledger) -> str | None:
    """Create the account `operator`, and return its one-time password.

    Return None if any person exists. If several processes call this at once, one of them creates
    the account. The password is stored nowhere.
    """
    with ledger.system_session(ACTOR) as session:
        if session.people.all():
            return None
    one_time_password = passwords.one_time_password()
    one_time_hash = passwords.hash_password(one_time_password)
    with ledger.system_session(ACTOR) as session:
        operator = session.people.create_first_operator(one_time_hash)
    return one_time_password if operator else None
