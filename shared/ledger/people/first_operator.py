"""The first start: an operator's account, so that somebody can sign in and make the others."""

from shared.ledger.ledger import Ledger
from shared.security import passwords

ACTOR = "first-start"


def first_operator(ledger: Ledger) -> str | None:
    """The one-time password of the account `operator`, made if there is nobody yet; else None.

    Of several who start at once one makes it. The password is told to nobody else and kept nowhere.
    """
    with ledger.system_session(ACTOR) as session:
        if session.people.all():
            return None
    one_time = passwords.one_time()
    one_time_hash = passwords.hashed(one_time)
    with ledger.system_session(ACTOR) as session:
        return one_time if session.people.create_first_operator(one_time_hash) else None
