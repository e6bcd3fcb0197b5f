"""`./sera key` against a running gateway."""

import json
import sys
from collections.abc import Callable

import httpx2
import pytest

from cli.app import main
from tests.support.command import command_words

Ran = tuple[int, str, str]


@pytest.fixture
def sera(operator, monkeypatch, capsys) -> Callable[..., Ran]:
    """Runs `sera key ...` in this process as an operator; exit code, stdout and stderr."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sera", "key", *command_words(*arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capsys.readouterr()

    return run


def is_accepted(url: str, key: str) -> bool:
    return httpx2.get(
        f"{url}/v1/jobs", headers={"Authorization": f"Bearer {key}"}
    ).is_success


def test_a_key_is_made_rotated_and_revoked(sera, url):
    create = "create --hospital north --label pacs --expires-days 30"
    old = sera(create)[1].strip()
    code, new, stderr = sera("rotate", old.split("_")[1], "--overlap-days", "3")
    assert (code, is_accepted(url, old), is_accepted(url, new.strip())) == (
        0,
        True,
        True,
    )
    assert "cannot be shown again" in stderr
    assert "pacs" in sera("revoke", old.split("_")[1])[1]
    assert (is_accepted(url, old), is_accepted(url, new.strip())) == (False, True)
    listed = {key["id"]: key for key in json.loads(sera("list", "--json")[1])}
    assert listed[old.split("_")[1]]["revoked_at"]
    assert listed[new.split("_")[1]]["hospital"] == "north"
    listing = sera("list")[1]
    assert "revoked" in listing
    assert old.split("_", 2)[2] not in listing


def test_a_key_that_is_not_there_is_said_to_be_so(sera):
    code, _, stderr = sera("revoke", "0" * 12)
    assert code == 1
    assert "[key-unknown]" in stderr
