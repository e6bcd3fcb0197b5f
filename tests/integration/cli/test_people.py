"""`./sera person` against a running gateway, and what the console says at the first start."""

import json
import sys
from collections.abc import Callable
from io import StringIO
from types import SimpleNamespace

import httpx2
import pytest
from rich.console import Console

from cli.app import main
from cli.output.first_operator import print_first_sign_in
from shared.ledger import Ledger

Ran = tuple[int, str, str]


@pytest.fixture
def person(operator, monkeypatch, capsys) -> Callable[..., Ran]:
    """Runs `sera person ...` in this process, as an operator."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sera", "person", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capsys.readouterr()

    return run


def status(url: str, name: str, password: str) -> int:
    return httpx2.post(
        f"{url}/v1/session", json={"name": name, "password": password}
    ).status_code


def test_a_person_is_made_reset_disabled_and_let_in_again(person, url, ledger):
    with ledger.system_session("test") as session:
        session.hospitals.ensure("north")
    code, password, output = person("create", "A.Reader", "--hospital", "north")
    assert (code, status(url, "a.reader", password.strip())) == (0, 201)
    assert f"{url}/sign-in" in output
    second_password = person("reset", "a.reader")[1].strip()
    assert (
        status(url, "a.reader", password.strip()),
        status(url, "a.reader", second_password),
    ) == (401, 201)
    assert "signed out everywhere" in person("disable", "a.reader")[1]
    assert "disabled" in person("list")[1]
    assert status(url, "a.reader", second_password) == 401
    assert "may sign in again" in person("enable", "a.reader")[1]
    assert "may try again" in person("unlock", "a.reader")[1]
    (listed,) = json.loads(person("list", "--json")[1])
    assert (listed["name"], listed["hospital"], listed["role"]) == (
        "a.reader",
        "north",
        "reader",
    )


def test_a_name_that_nobody_has_is_said_to_be_so(person):
    code, _, output = person("disable", "nobody")
    assert (code, "[person-unknown]" in output) == (1, True)


def test_the_console_says_the_first_operators_password_once(
    database_url, ledger: Ledger
):
    console = Console(file=StringIO(), width=200)
    stack = SimpleNamespace(database_url=database_url, url="http://127.0.0.1:8000")
    print_first_sign_in(console, stack)
    first = console.file.getvalue()
    assert (
        "http://127.0.0.1:8000/sign-in as operator with the one-time password" in first
    )
    print_first_sign_in(console, stack)
    assert console.file.getvalue() == first
