from pathlib import Path

import pytest
from sqlalchemy import make_url

from cli.commands.doctor import Verdict, examine, row_security
from shared.settings import Settings


@pytest.mark.parametrize(("user", "verdict"), [("sera_service", Verdict.OK), (None, Verdict.NOTE)])
def test_a_login_that_could_pass_the_walls_between_hospitals_by_is_warned_of(database_url, user, verdict):
    url = make_url(database_url)
    url = url.set(username=user) if user else url
    found, told = row_security(Settings(database_url=url.render_as_string(hide_password=False)))
    assert found is verdict
    assert ("SERA_DATABASE_OWNER_URL" in told) == (verdict is Verdict.NOTE)


def test_the_embedded_databases_services_own_nothing(monkeypatch):
    monkeypatch.delenv("SERA_DATABASE_URL", raising=False)
    assert row_security(Settings())[0] is Verdict.OK


def test_a_database_that_does_not_answer_is_said_to_be_away(tmp_path: Path):
    away = Settings(database_url=f"postgresql://x@/sera?host={tmp_path}")
    verdict, told = examine(row_security, away)
    assert verdict is Verdict.FAIL
    assert "database cannot be reached" in told
