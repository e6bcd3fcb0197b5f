"""`python -m shared.ledger migrate`: the one-shot migration job; `... operator`: the first operator's account."""

import sys

from shared.errors import SeraError
from shared.ledger.ledger import Ledger
from shared.ledger.people.first_operator import first_operator
from shared.ledger.people.repository import FIRST_NAME
from shared.ledger.schema.migrate import migrate
from shared.settings import Settings

SOMEBODY = (
    "There are people already; nothing was made. Those there are: `./sera person list`."
)


def main(asked: list[str], settings: Settings) -> None:
    """An error that says the next step ends it with that sentence."""
    try:
        _run(asked, settings)
    except SeraError as error:
        sys.exit(str(error))


def _run(asked: list[str], settings: Settings) -> None:
    if asked == ["migrate"]:
        migrate(settings.database_owner)
    elif asked == ["operator"]:
        sys.stdout.write(f"{operator(settings)}\n")
    else:
        sys.exit("usage: python -m shared.ledger migrate|operator")


def operator(settings: Settings) -> str:
    """What there is to say of the first operator's account. Run it by hand: it says the password this once."""
    ledger = Ledger(settings.database_owner, pool_size=1)
    one_time = first_operator(ledger)
    ledger.close()
    return (
        f"name: {FIRST_NAME}\none-time password: {one_time}" if one_time else SOMEBODY
    )


if __name__ == "__main__":
    main(sys.argv[1:], Settings())
