"""Prints once how the first operator signs in."""

from contextlib import closing

from cli.output.terminal import Console
from deploy.local import Stack
from shared.ledger import Ledger
from shared.ledger.people.first_operator import first_operator
from shared.ledger.people.repository import FIRST_NAME


def print_first_sign_in(console: Console, stack: Stack) -> None:
    """Create the first operator if there is no account yet, and print the one-time password.

    The password is not stored.
    """
    with closing(Ledger(stack.database_url, pool_size=1)) as ledger:
        one_time = first_operator(ledger)
    if one_time:
        console.print(
            f"Sign in at {stack.url}/sign-in as [bold]{FIRST_NAME}[/] with the one-time "
            f"password [bold]{one_time}[/]. "
            "It is shown this once, and you choose your own there.",
            soft_wrap=True,
        )
