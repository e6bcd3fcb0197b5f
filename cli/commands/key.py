"""`./sera key`: API keys of hospitals and operators."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.commands import application
from cli.connection import connect, create_key
from cli.output.listing import AsJson, show_all
from cli.output.terminal import Console, print_line
from shared.domain.roles import Role
from shared.settings import Settings

app = application()
KEEP_SAFE_NOTE = "Keep it safe: only its hash is stored, so it cannot be shown again."
COLUMNS = ("id", "role", "hospital", "label", "state", "expires", "last used")
KeyId = Annotated[
    str, typer.Argument(help="The key's id: the part between its underscores.")
]


@app.callback()
def keys() -> None:
    """API keys of hospitals and operators."""


@app.command()
def create(
    hospital: Annotated[
        str | None, typer.Option(help="The hospital it belongs to; added if it is new.")
    ] = None,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.SUBMITTER,
    label: Annotated[
        str, typer.Option(help="A word to know it by.")
    ] = "made on the command line",
    expires_days: Annotated[
        int, typer.Option(min=1, max=1095, help="Days after which it ends by itself.")
    ] = 365,
) -> None:
    """Make a key and print it, the only time it is shown."""
    expires_at = datetime.now(UTC) + timedelta(days=expires_days)
    show(create_key(Settings(), role, hospital, label, expires_at))


@app.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """Keys without their secrets, newest first."""
    with connect(Role.OPERATOR) as api:
        show_all(api.get_list("/v1/keys"), as_json, table)


@app.command()
def rotate(
    key_id: KeyId,
    overlap_days: Annotated[
        int,
        typer.Option(min=0, max=90, help="Days for which the old key is good still."),
    ] = 7,
) -> None:
    """Make a key's successor and print it, the only time it is shown."""
    with connect(Role.OPERATOR) as api:
        show(
            api.post(f"/v1/keys/{key_id}/rotate", json={"overlap_days": overlap_days})[
                "key"
            ]
        )


@app.command()
def revoke(key_id: KeyId) -> None:
    """End a key now."""
    with connect(Role.OPERATOR) as api:
        ended = api.delete(f"/v1/keys/{key_id}")
    Console(highlight=False).print(
        f"The key {key_id} ({escape(ended['label'])}) is refused from now on."
    )


def show(key: str) -> None:
    """Print only the key on stdout."""
    print_line(key)
    Console(stderr=True).print(KEEP_SAFE_NOTE)


def table(keys: list[dict[str, Any]]) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for key in keys:
        cells = (
            key["id"],
            key["role"],
            key["hospital"] or "-",
            key["label"],
            state(key),
        )
        table.add_row(
            *map(escape, cells),
            day(key["expires_at"], "never"),
            day(key["last_used_at"], "never"),
        )
    return table


def state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] and datetime.fromisoformat(key["expires_at"]) <= datetime.now(
        UTC
    ):
        return "expired"
    return f"replaced by {key['replaced_by']}" if key["replaced_by"] else "good"


def day(moment: str | None, none: str) -> str:
    return moment[:10] if moment else none
