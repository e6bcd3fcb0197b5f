"""The accounts of the demo: an operator, and for each hospital a doctor and an administrator."""

from typing import NamedTuple

from rich.table import Table

from cli.connection import open_ledger, write_secret
from cli.demo.cases import NORTH, SOUTH
from cli.output.terminal import Console
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.security import passwords
from shared.settings import Settings

ACTOR = "demo"
PASSWORD_CHANGED = "unknown here: ./sera person reset {name}"


class DemoAccount(NamedTuple):
    name: str
    role: Role
    hospital: str | None
    permissions: str


ACCOUNTS = (
    DemoAccount(
        "demo-operator",
        Role.OPERATOR,
        None,
        "runs the house: models, hospitals, people, audit",
    ),
    DemoAccount(
        f"{NORTH}-doctor", Role.SUBMITTER, NORTH, "submits cases and reads results"
    ),
    DemoAccount(
        f"{NORTH}-admin", Role.HOSPITAL_ADMIN, NORTH, "also its people, keys, settings"
    ),
    DemoAccount(
        f"{SOUTH}-doctor", Role.SUBMITTER, SOUTH, "submits cases and reads results"
    ),
    DemoAccount(
        f"{SOUTH}-admin", Role.HOSPITAL_ADMIN, SOUTH, "also its people, keys, settings"
    ),
)


def print_demo_accounts(console: Console, settings: Settings, url: str) -> None:
    """Create the missing demo accounts, and print how to sign in."""
    table = Table("name", "password", "hospital", "may", box=None, pad_edge=False)
    with open_ledger(settings) as ledger:
        for account in ACCOUNTS:
            table.add_row(
                account.name,
                ensure_account(ledger, settings, account),
                account.hospital or "-",
                account.permissions,
            )
    console.print(
        f"\nSign in at [bold]{url}/sign-in[/] as one of the demo's people:",
        soft_wrap=True,
    )
    console.print(table)
    console.print(
        f"The passwords are this home's own, kept in {settings.demo_passwords}.",
        soft_wrap=True,
    )


def ensure_account(ledger: Ledger, settings: Settings, account: DemoAccount) -> str:
    """Create the account at the first start, and return its password.

    The password is drawn once and is the same at every later start.
    """
    password_file = settings.demo_passwords / account.name
    with ledger.system_session(ACTOR) as session:
        exists = not session.people.is_name_free(account.name)
    if not password_file.exists():
        if exists:
            return PASSWORD_CHANGED.format(name=account.name)
        write_secret(password_file, passwords.one_time_password())
    password = password_file.read_text().strip()
    if not exists:
        create_account(ledger, account, passwords.hash_password(password))
    return password


def create_account(ledger: Ledger, account: DemoAccount, password_hash: str) -> None:
    with ledger.system_session(ACTOR) as session:
        hospital = (
            session.hospitals.ensure(account.hospital) if account.hospital else None
        )
        session.people.create_demo_person(
            account.name, account.role, hospital, password_hash
        )
