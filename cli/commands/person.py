"""`./sera person`: people who sign in."""

from typing import Annotated, Any, ClassVar

import typer
from rich.markup import escape
from rich.table import Table

from cli.commands import application
from cli.connection import ApiClient, connect
from cli.output.listing import AsJson, show_all
from cli.output.terminal import Console, print_line
from shared.domain.roles import Role
from shared.errors import NotFound

app = application()
ONE_TIME_PASSWORD_NOTE = (
    "A one-time password, shown this once: it is changed at the first "
    "sign-in, at {url}/sign-in."
)
COLUMNS = ("name", "role", "hospital", "state", "authenticator", "signed in")
Name = Annotated[str, typer.Argument(help="The name that the person signs in with.")]


class PersonUnknown(NotFound):
    code = "person-unknown"
    text: ClassVar[str] = (
        "Nobody signs in as {name}. Those there are: `./sera person list`."
    )


@app.callback()
def people() -> None:
    """People who sign in with a name and a password."""


@app.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.READER,
    hospital: Annotated[
        str | None, typer.Option(help="The hospital they belong to, by name.")
    ] = None,
) -> None:
    """Make an account and print its one-time password, the only time it is shown."""
    with connect(Role.OPERATOR) as api:
        show(
            api,
            api.post(
                "/v1/people", json={"name": name, "role": role, "hospital": hospital}
            ),
        )


@app.command(name="list")
def list_people(as_json: AsJson = False) -> None:
    """Everybody, by name."""
    with connect(Role.OPERATOR) as api:
        show_all(api.get_list("/v1/people"), as_json, table)


@app.command()
def reset(name: Name) -> None:
    """Print a new one-time password; ends their sessions, locks and authenticator."""
    with connect(Role.OPERATOR) as api:
        show(api, api.post(f"/v1/people/{find_person_id(api, name)}/reset"))


@app.command()
def disable(name: Name) -> None:
    """Let somebody sign in no more; their sessions end at once."""
    change_account(name, "disable", "is disabled, and signed out everywhere")


@app.command()
def enable(name: Name) -> None:
    """Let somebody sign in again."""
    change_account(name, "enable", "may sign in again")


@app.command()
def unlock(name: Name) -> None:
    """Forget somebody's wrong passwords."""
    change_account(name, "unlock", "may try again at once")


def change_account(name: str, action: str, sentence: str) -> None:
    with connect(Role.OPERATOR) as api:
        person = api.post(f"/v1/people/{find_person_id(api, name)}/{action}")
    Console(highlight=False).print(f"{escape(person['name'])} {sentence}.")


def find_person_id(api: ApiClient, name: str) -> str:
    """Return the id of the person with this name. Raises PersonUnknown."""
    normalised_name = name.strip().casefold()
    for person in api.get_list("/v1/people"):
        if person["name"] == normalised_name:
            return str(person["id"])
    raise PersonUnknown(name=name)


def show(api: ApiClient, person: dict[str, Any]) -> None:
    """Print only the password on stdout."""
    print_line(person["one_time_password"])
    Console(stderr=True, highlight=False).print(
        ONE_TIME_PASSWORD_NOTE.format(url=api.url), soft_wrap=True
    )


def table(people: list[dict[str, Any]]) -> Table:
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for person in people:
        cells = (
            person["name"],
            person["role"],
            person["hospital"] or "-",
            state(person),
        )
        table.add_row(
            *map(escape, cells),
            day(person["totp_since"], "no"),
            day(person["signed_in_at"], "never"),
        )
    return table


def state(person: dict[str, Any]) -> str:
    if person["disabled_at"]:
        return "disabled"
    if person["locked_until"]:
        return f"{person['failures']} wrong tries"
    return "one-time password" if person["must_change"] else "good"


def day(moment: str | None, none: str) -> str:
    return moment[:10] if moment else none
