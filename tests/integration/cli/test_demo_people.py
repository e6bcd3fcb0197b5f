import io
import stat

import pytest
from fastapi.testclient import TestClient
from rich.console import Console

from cli.connection import open_ledger
from cli.demo.people import ACCOUNTS, ensure_account, print_demo_accounts
from shared.security.production_checks import UnsafeSettings, refuse_unsafe
from shared.settings import Settings
from tests.support.app import create_app

URL = "http://testserver"


@pytest.fixture
def settings(database_url, engines, tmp_path) -> Settings:
    return Settings(
        home=tmp_path, database_url=database_url, broker_url=engines.broker_url
    )


def printed_accounts(settings) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_demo_accounts(console, settings, URL)
    return console.file.getvalue()


def test_the_demo_says_how_to_sign_in_and_says_the_same_again(settings):
    first = printed_accounts(settings)
    assert printed_accounts(settings) == first
    assert f"{URL}/sign-in" in first
    passwords_folder = settings.demo_passwords
    for account in ACCOUNTS:
        assert f"{account.name} " in first
        assert (passwords_folder / account.name).read_text().strip() in first
        assert stat.S_IMODE((passwords_folder / account.name).stat().st_mode) == 0o600


def test_the_demos_people_sign_in_without_choosing_a_password(settings):
    account = ACCOUNTS[1]
    with open_ledger(settings) as ledger:
        fields = {
            "name": account.name,
            "password": ensure_account(ledger, settings, account),
        }
    with TestClient(
        create_app(settings), base_url=URL, headers={"Origin": URL}
    ) as browser:
        answer = browser.post("/v1/session", json=fields)
    assert answer.is_success, answer.text
    assert (answer.json()["role"], answer.json()["must_change"]) == (
        account.role,
        False,
    )


def test_where_the_password_is_not_kept_any_more_the_next_step_is_said(settings):
    with open_ledger(settings) as ledger:
        ensure_account(ledger, settings, ACCOUNTS[0])
        (settings.demo_passwords / ACCOUNTS[0].name).unlink()
        assert "./sera person reset demo-operator" in ensure_account(
            ledger, settings, ACCOUNTS[0]
        )


def test_production_does_not_start_with_the_demos_people(settings):
    printed_accounts(settings)
    with pytest.raises(UnsafeSettings, match="sera demo"):
        refuse_unsafe(settings.model_copy(update={"production": True}))
