"""Commands of the ledger.

`python -m shared.ledger migrate` runs the migrations once. `... downgrade REVISION` undoes those
after a revision. `... operator` creates the account of the first operator.
"""

import sys

from shared.errors import SeraError
from shared.ledger.ledger import Ledger
from shared.ledger.people.first_operator import first_operator
from shared.ledger.people.repository import FIRST_NAME
from shared.ledger.schema.compatibility import revisions
from shared.ledger.schema.migrate import downgrade, migrate
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
    match arguments:
        case ["migrate"]:
            migrate(settings.database_owner)
        case ["downgrade", revision] if revision in revisions():
            downgrade(settings.database_owner, revision)
        case ["operator"]:
            sys.stdout.write(f"{operator(settings)}\n")
        case _:
            known_revisions = ", ".join(revisions())
            sys.exit(
                "usage: python -m shared.ledger migrate|downgrade REVISION|operator "
                f"(revisions: {known_revisions})"
            )


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
