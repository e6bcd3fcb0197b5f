"""Commands of the ledger.

`python -m shared.ledger migrate` runs the migrations once. `... operator` creates the account of
the first operator.
"""

import sys

from shared.errors import SeraError
from shared.ledger.ledger import Ledger
from shared.ledger.people.first_operator import first_operator
from shared.ledger.people.repository import FIRST_NAME
from shared.ledger.schema.migrate import migrate
from shared.settings import Settings

PEOPLE_EXIST = (
    "There are people already; nothing was made. Those there are: `./sera person list`."
)


def main(arguments: list[str], settings: Settings) -> None:
    """Run one command. An error ends the process with its sentence, which names the next step."""
    try:
        _run(arguments, settings)
    except SeraError as error:
        sys.exit(str(error))


def _run(arguments: list[str], settings: Settings) -> None:
    if arguments == ["migrate"]:
        migrate(settings.database_owner)
    elif arguments == ["operator"]:
        sys.stdout.write(f"{operator(settings)}\n")
    else:
        sys.exit("usage: python -m shared.ledger migrate|operator")


def operator(settings: Settings) -> str:
    """Create the first operator's account, and return the text to print.

    Run it by hand: the text shows the password, which is not shown again.
    """
    ledger = Ledger(settings.database_owner, pool_size=1)
    one_time_password = first_operator(ledger)
    ledger.close()
    if not one_time_password:
        return PEOPLE_EXIST
    return f"name: {FIRST_NAME}\none-time password: {one_time_password}"


if __name__ == "__main__":
    main(sys.argv[1:], Settings())
