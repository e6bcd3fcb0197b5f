"""`./sera person`: people who sign in."""

from typing import Annotated, Any, ClassVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.commands import application
from cli.connection import ApiClient, connect
from cli.output.listing import AsJson, show_all
from shared.domain.roles import Role
from shared.errors import NotFound

app = application()
ONCE = "A one-time password, shown this once: it is changed at the first sign-in, at {url}/sign-in."
COLUMNS = ("name", "role", "hospital", "state", "authenticator", "signed in")
Name = Annotated[str, typer.Argument(help="The name that the person signs in with.")]


class NobodyByName(NotFound):
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
        show_all(api.get("/v1/people"), as_json, table)


@app.command()
def reset(name: Name) -> None:
    """Print a new one-time password; ends their sessions, locks and authenticator."""
    with connect(Role.OPERATOR) as api:
        show(api, api.post(f"/v1/people/{identity(api, name)}/reset"))


@app.command()
def disable(name: Name) -> None:
    """Let somebody sign in no more; their sessions end at once."""
    done(name, "disable", "is disabled, and signed out everywhere")


@app.command()
def enable(name: Name) -> None:
    """Let somebody sign in again."""
    done(name, "enable", "may sign in again")


@app.command()
def unlock(name: Name) -> None:
    """Forget somebody's wrong passwords."""
    done(name, "unlock", "may try again at once")


def done(name: str, act: str, said: str) -> None:
    with connect(Role.OPERATOR) as api:
        person = api.post(f"/v1/people/{identity(api, name)}/{act}")
    Console(highlight=False).print(f"{escape(person['name'])} {said}.")


def identity(api: ApiClient, name: str) -> str:
    """The id of the person with this name (`NobodyByName`)."""
    wanted = name.strip().casefold()
    for person in api.get("/v1/people"):
        if person["name"] == wanted:
            return str(person["id"])
    raise NobodyByName(name=name)


def show(api: ApiClient, person: dict[str, Any]) -> None:
    """The password alone on stdout."""
    print(person["one_time_password"])
    Console(stderr=True, highlight=False).print(
        ONCE.format(url=api.url), soft_wrap=True
    )


def table(found: list[dict[str, Any]]) -> Table:
    shown = Table(*COLUMNS, box=None, pad_edge=False)
    for person in found:
        words = (
            person["name"],
            person["role"],
            person["hospital"] or "-",
            state(person),
        )
        shown.add_row(
            *map(escape, words),
            day(person["totp_since"], "no"),
            day(person["signed_in_at"], "never"),
        )
    return shown


def state(person: dict[str, Any]) -> str:
    if person["disabled_at"]:
        return "disabled"
    if person["locked_until"]:
        return f"{person['failures']} wrong tries"
    return "one-time password" if person["must_change"] else "good"


def day(moment: str | None, none: str) -> str:
    return moment[:10] if moment else none
