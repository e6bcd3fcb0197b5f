"""The operator's pages of models, as the server renders them."""

import numpy as np
import pytest

from shared.domain.messages import Message
from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.domain.roles import Role
from shared.statistics.model_life.gate import (
    GatePolicy,
    judge_candidate,
)
from shared.statistics.model_life.gate_predictions import ModelPredictions

LIVE = "a" * 64
CANDIDATE = "b" * 64
OLD = "c" * 64
LANGUAGES = ("en", "ko")


def judgement() -> Judgement:
    labels = np.random.default_rng(1).random(200) < 0.5

    def predictions(seed: int) -> ModelPredictions:
        """Calibrated predictions; models of different seeds are equally good."""
        logits = (
            np.random.default_rng(seed).normal(size=200) * 8**0.5 + (labels - 0.5) * 8
        )
        risks = 1 / (1 + np.exp(-logits))
        return ModelPredictions(risks, risks, risks >= 0.5, np.zeros(200), 0.5)

    sizes = [5.0, 15.0, 25.0, None] * 50
    return judge_candidate(
        predictions(2),
        predictions(3),
        labels,
        ["north", None] * 100,
        GatePolicy(),
        sizes_mm=sizes,
    )


@pytest.fixture
def operator(as_person, ledger):
    """An operator. `first/1` is live, `second/1` is compared with it, `third/1` has no figures."""
    with ledger.system_session("test") as session:
        for digest, name in ((LIVE, "first"), (CANDIDATE, "second"), (OLD, "third")):
            session.models.store(digest, name, "starter", None, True, {"auc": 0.9})
        session.models.promote(LIVE, "test", None)
        session.gate_judgements.record(CANDIDATE, LIVE, None, None, judgement())
        reason = GateReason("calibration-unknown", Weight.AGAINST)
        session.gate_judgements.record(
            OLD, None, None, None, Judgement(GateVerdict.FAILED, (reason,))
        )
        session.serving.report("worker-1", LIVE)
    return as_person(Role.OPERATOR)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_candidate_is_compared_with_the_live_model(operator, language):
    page = operator.get(f"/console/models/{CANDIDATE[:12]}", params={"lang": language})
    assert page.status_code == 200
    for text in (
        "second/1",
        "first/1",
        'class="curve candidate"',
        'class="curve live"',
        'id="paired"',
        "north",
    ):
        assert text in page.text
    assert len(page.content) < 200_000
    assert "style=" not in page.text
    assert {"en": "malignant images", "ko": "찾아냅니다"}[language] in page.text
    assert {"en": "by chance", "ko": "우연 0."}[language] in page.text
    assert {"en": "Its risks are calibrated at each of 3 sizes", "ko": "크기 3개 구간"}[
        language
    ] in page.text
    assert '<span lang="en">' not in page.text or language == "en"


def test_a_model_without_figures_says_so_and_needs_a_reason(
    operator,
):
    page = operator.get(f"/console/models/{OLD[:12]}").text
    assert "validated before figures for plots were stored" in page
    assert "nothing is known of its calibration" in page
    assert 'required minlength="10"' in page


def test_a_model_that_the_gate_passed_needs_no_reason(operator):
    page = operator.get(f"/console/models/{CANDIDATE[:12]}").text
    assert "minlength" not in page
    assert "changes from first/1 to second/1" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_shows_the_live_model_and_the_models_of_the_workers(
    operator, ledger, language
):
    with ledger.system_session("test") as session:
        session.models.promote(CANDIDATE, "chief", "better on our own images")
        refusal = Message(
            "bundle-unreadable", {"part": "weights", "problem": "header 7"}
        )
        session.serving.report_refusal("worker-1", CANDIDATE, refusal)
    page = operator.get("/console/models", params={"lang": language}).text
    for text in (
        "better on our own images",
        "worker-1",
        "header 7",
        "second/1",
    ):
        assert text in page
    assert page.count("badge live") == 1
    assert 'data-to="/v1/models/rollback"' in page


@pytest.mark.parametrize("path", ["/console/models", f"/console/models/{OLD[:12]}"])
def test_the_second_operator_sees_a_proposal_against_the_gate(
    operator, make_person, signed_in, path
):
    assert 'id="proposals"' not in operator.get(path).text
    first = make_person(Role.OPERATOR)
    body = {"reason": "finds what <others> miss"}
    answer = signed_in(first).post(f"/v1/models/{OLD}/promote", json=body)
    assert answer.json()["code"] == "promotion-needs-second-operator"
    english = operator.get(path, params={"lang": "en"}).text
    assert f"proposed by {first.name} <time" in english
    assert "finds what &lt;others&gt; miss" in english
    assert "third/1" in english
    assert f"제안자: {first.name}," in operator.get(path, params={"lang": "ko"}).text
    assert 'id="proposals"' not in operator.get(f"/console/models/{LIVE[:12]}").text
    assert operator.post(f"/v1/models/{OLD}/promote", json=body).json()["live"]
    assert 'id="proposals"' not in operator.get(path).text


def test_a_shadow_evaluation_without_results_shows_its_counts(operator, ledger):
    with ledger.system_session("test") as session:
        session.shadows.start(CANDIDATE, "test", 1.0)
    page = operator.get(f"/console/models/{CANDIDATE[:12]}").text
    assert "0 cases read" in page
    assert 'data-opens="stop-shadow"' in page


def test_only_operators_see_the_models(as_person, browser):
    assert as_person(Role.READER).get("/console/models").status_code == 403
    stranger = browser().get("/console/models", follow_redirects=False)
    assert stranger.headers["location"] == "/sign-in?next=/console/models"
