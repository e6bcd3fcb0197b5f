"""Who signs in to the demo: an operator, and of each demo hospital a doctor who submits and an
administrator.
"""

from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from cli.connection import open_ledger, write_secret
from cli.demo.cases import NORTH, SOUTH
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.security import passwords
from shared.settings import Settings

ACTOR = "demo"
CHANGED = "unknown here: ./sera person reset {name}"


class Character(NamedTuple):
    name: str
    role: Role
    hospital: str | None
    may: str


CAST = (
    Character(
        "demo-operator",
        Role.OPERATOR,
        None,
        "runs the house: models, hospitals, people, audit",
    ),
    Character(
        f"{NORTH}-doctor", Role.SUBMITTER, NORTH, "submits cases and reads results"
    ),
    Character(
        f"{NORTH}-admin", Role.HOSPITAL_ADMIN, NORTH, "also its people, keys, settings"
    ),
    Character(
        f"{SOUTH}-doctor", Role.SUBMITTER, SOUTH, "submits cases and reads results"
    ),
    Character(
        f"{SOUTH}-admin", Role.HOSPITAL_ADMIN, SOUTH, "also its people, keys, settings"
    ),
)


def introduce(console: Console, settings: Settings, url: str) -> None:
    """Make the demo's people where they are missing, and print how to sign in."""
    table = Table("name", "password", "hospital", "may", box=None, pad_edge=False)
    with open_ledger(settings) as ledger:
        for who in CAST:
            table.add_row(
                who.name, admit(ledger, settings, who), who.hospital or "-", who.may
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


def admit(ledger: Ledger, settings: Settings, who: Character) -> str:
    """The password of one of the demo's people, the same at every start; drawn, and the account
    made, at the first.
    """
    kept = settings.demo_passwords / who.name
    with ledger.system_session(ACTOR) as session:
        there = not session.people.name_free(who.name)
    if not kept.exists():
        if there:
            return CHANGED.format(name=who.name)
        write_secret(kept, passwords.one_time())
    password = kept.read_text().strip()
    if not there:
        _make(ledger, who, passwords.hashed(password))
    return password


def _make(ledger: Ledger, who: Character, password_hash: str) -> None:
    with ledger.system_session(ACTOR) as session:
        hospital = session.hospitals.ensure(who.hospital) if who.hospital else None
        session.people.make_for_show(who.name, who.role, hospital, password_hash)
