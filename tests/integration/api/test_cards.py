import numpy as np
import pytest

from shared.bundles import load, save
from shared.bundles.card import model_card
from shared.domain.roles import Role
from shared.statistics.model_life.gate import (
    GatePolicy,
    judge_candidate,
)
from shared.statistics.model_life.gate_predictions import ModelPredictions
from tests.support.builders import small_model


@pytest.fixture(scope="session")
def card(tmp_path_factory):
    """The card of a small model."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return model_card(load(folder, save(small_model(), folder, synthetic=True)))


@pytest.fixture
def stored_digest(ledger, card):
    """The digest of a live model that is stored with its card."""
    digest = card["model"]["digest"]
    with ledger.system_session("test") as session:
        session.models.store(
            digest,
            name="small",
            recipe="small",
            run_id=None,
            synthetic=True,
            metrics={},
            card=card,
        )
        session.models.promote(digest, "test", None)
    return digest


def test_every_role_may_read_a_card(as_role, stored_digest, card):
    for role in Role:
        answer = as_role(role).get(f"/v1/models/{stored_digest}/card").json()
        assert answer == card | {"stored": {"name": "small/1", "live": True}}


def test_a_card_shows_the_locked_test_set_and_names_no_hospital(
    north, ledger, stored_digest
):
    random = np.random.default_rng(1)
    labels = random.random(200) < 0.5
    risks = np.where(labels, 0.9, 0.1)
    predictions = ModelPredictions(risks, risks, labels, np.zeros(200), 0.5)
    judgement = judge_candidate(
        predictions,
        None,
        labels,
        ["secret hospital", "north"] * 100,
        GatePolicy(),
        sizes_mm=[5.0, 15.0] * 100,
    )
    with ledger.system_session("test") as session:
        session.gate_judgements.record(stored_digest, None, None, None, judgement)
    answer = north.get(f"/v1/models/{stored_digest}/card")
    gate = answer.json()["gate"]
    assert gate["verdict"] == judgement.verdict.value
    assert gate["sensitivity"]["value"] == 1
    assert [row["band"] for row in gate["sizes"]] == ["under-10", "10-20"]
    assert all(row["calibration"]["images"] == 100 for row in gate["sizes"])
    assert [row["images"] for row in gate["sites"]] == [100, 100]
    page = north.get(f"/v1/models/{stored_digest}/card.html").text
    assert "On the locked test set" in page
    assert "secret hospital" not in answer.text + page


def test_the_policy_of_the_page_allows_no_scripts_and_no_requests(north, stored_digest):
    page = north.get("/v1/models/small/card.html")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert {
        "default-src 'none'",
        "frame-ancestors 'none'",
        "style-src 'unsafe-inline'",
    } < set(policy)
    assert "<h1>small/1" in page.text


def test_a_card_needs_a_key(gateway, stored_digest):
    assert gateway.get(f"/v1/models/{stored_digest}/card.html").status_code == 401


def test_a_model_without_a_card_names_the_command_that_makes_one(north, ledger):
    with ledger.system_session("test") as session:
        session.models.store(
            "cd" * 32,
            name="old",
            recipe="light",
            run_id=None,
            synthetic=False,
            metrics={},
        )
    answer = north.get("/v1/models/old/card")
    assert (answer.status_code, answer.json()["code"]) == (404, "card-missing")
    assert "./sera card" in answer.json()["detail"]
    assert north.get("/v1/models/none/card").json()["code"] == "model-unknown"
