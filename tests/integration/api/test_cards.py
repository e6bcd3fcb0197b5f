import pytest

from shared.bundles import load, save
from shared.bundles.card import model_card
from shared.domain.roles import Role
from tests.support.builders import small_model


@pytest.fixture(scope="session")
def told(tmp_path_factory):
    """The card of a small model."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return model_card(load(folder, save(small_model(), folder, synthetic=True)))


@pytest.fixture
def stored(ledger, told):
    """The digest of a model that is kept with its card, and live."""
    digest = told["model"]["digest"]
    with ledger.system_session("test") as session:
        session.models.store(digest, "small", "small", None, True, {}, card=told)
        session.models.promote(digest, "test", None)
    return digest


def test_whoever_has_a_key_may_read_a_card(as_role, stored, told):
    for role in Role:
        answer = as_role(role).get(f"/v1/models/{stored}/card").json()
        assert answer == told | {"stored": {"name": "small/1", "live": True}}


def test_the_page_fetches_and_runs_nothing(north, stored):
    page = north.get("/v1/models/small/card.html")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert {
        "default-src 'none'",
        "frame-ancestors 'none'",
        "style-src 'unsafe-inline'",
    } < set(policy)
    assert "<h1>small/1" in page.text


def test_without_a_key_there_is_no_card(gateway, stored):
    assert gateway.get(f"/v1/models/{stored}/card.html").status_code == 401


def test_a_model_from_before_cards_says_how_to_get_one(north, ledger):
    with ledger.system_session("test") as session:
        session.models.store("cd" * 32, "old", "light", None, False, {})
    answer = north.get("/v1/models/old/card")
    assert (answer.status_code, answer.json()["code"]) == (404, "card-missing")
    assert "./sera card" in answer.json()["detail"]
    assert north.get("/v1/models/none/card").json()["code"] == "model-unknown"
