"""`./sera key` against a running gateway."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn

from cli.app import main
from deploy.local import EmbeddedEngines
from services.api.app import create_app
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.settings import Settings

Ran = tuple[int, str, str]


@pytest.fixture
def url(database_url: str, engines: EmbeddedEngines, tmp_path: Path) -> Iterator[str]:
    settings = Settings(home=tmp_path, database_url=database_url, broker_url=engines.broker_url)
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def sera(url: str, database_url: str, ledger: Ledger, monkeypatch, capsys) -> Callable[..., Ran]:
    """Runs `sera key ...` in this process, as an operator: exit code, standard output, standard error."""
    with ledger.whole("test") as house:
        monkeypatch.setenv("SERA_KEY", house.keys.create(Role.OPERATOR, None, "test"))
    monkeypatch.setenv("SERA_URL", url)
    monkeypatch.setenv("SERA_DATABASE_URL", database_url)

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sera", "key", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capsys.readouterr()

    return run


def good(url: str, key: str) -> bool:
    return httpx2.get(f"{url}/v1/jobs", headers={"Authorization": f"Bearer {key}"}).is_success


def test_a_key_is_made_rotated_and_revoked(sera, url):
    old = sera("create", "--hospital", "north", "--label", "pacs", "--expires-days", "30")[1].strip()
    code, new, told = sera("rotate", old.split("_")[1], "--overlap-days", "3")
    assert (code, good(url, old), good(url, new.strip())) == (0, True, True)
    assert "cannot be shown again" in told
    assert "pacs" in sera("revoke", old.split("_")[1])[1]
    assert (good(url, old), good(url, new.strip())) == (False, True)
    listed = {key["id"]: key for key in json.loads(sera("list", "--json")[1])}
    assert listed[old.split("_")[1]]["revoked_at"]
    assert listed[new.split("_")[1]]["hospital"] == "north"
    shown = sera("list")[1]
    assert "revoked" in shown
    assert old.split("_")[2] not in shown


def test_a_key_that_is_not_there_is_said_to_be_so(sera):
    code, _, told = sera("revoke", "0" * 12)
    assert code == 1
    assert "[key-unknown]" in told
