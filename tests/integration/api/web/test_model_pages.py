"""The operator's pages of models, as the server renders them."""

import numpy as np
import pytest

from shared.domain.messages import Message
from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.domain.roles import Role
from shared.statistics.model_life.gate import (
    GatePolicy,
    ModelPredictions,
    judge_candidate,
)

LIVE = "a" * 64
CANDIDATE = "b" * 64
OLD = "c" * 64
LANGUAGES = ("en", "ko")


def judgement() -> Judgement:
    labels = np.random.default_rng(1).random(200) < 0.5

    def readings(seed: int) -> ModelPredictions:
        """Calibrated, of two models that are equally good."""
        logits = (
            np.random.default_rng(seed).normal(size=200) * 8**0.5 + (labels - 0.5) * 8
        )
        risks = 1 / (1 + np.exp(-logits))
        return ModelPredictions(risks, risks, risks >= 0.5, np.zeros(200), 0.5)

    sizes = [5.0, 15.0, 25.0, None] * 50
    return judge_candidate(
        readings(2),
        readings(3),
        labels,
        ["north", None] * 100,
        GatePolicy(),
        sizes_mm=sizes,
    )


@pytest.fixture
def operator(as_person, ledger):
    """An operator; `first/1` is live, `second/1` was judged against it and `third/1` before figures were kept."""
    with ledger.system_session("test") as house:
        for digest, name in ((LIVE, "first"), (CANDIDATE, "second"), (OLD, "third")):
            house.models.store(digest, name, "starter", None, True, {"auc": 0.9})
        house.models.promote(LIVE, "test", None)
        house.gate_judgements.record(CANDIDATE, LIVE, None, None, judgement())
        reason = GateReason("calibration-unknown", Weight.AGAINST)
        house.gate_judgements.record(
            OLD, None, None, None, Judgement(GateVerdict.FAILED, (reason,))
        )
        house.serving.report("worker-1", LIVE)
    return as_person(Role.OPERATOR)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_candidate_stands_beside_the_live_model(operator, language):
    page = operator.get(f"/console/models/{CANDIDATE[:12]}", params={"lang": language})
    assert page.status_code == 200
    for found in (
        "second/1",
        "first/1",
        'class="curve candidate"',
        'class="curve live"',
        'id="paired"',
        "north",
    ):
        assert found in page.text
    assert len(page.content) < 200_000
    assert "style=" not in page.text
    assert {"en": "malignant images", "ko": "찾아냅니다"}[language] in page.text
    assert '<span lang="en">' not in page.text or language == "en"


def test_one_that_was_judged_before_figures_were_kept_says_so_and_needs_a_reason(
    operator,
):
    page = operator.get(f"/console/models/{OLD[:12]}").text
    assert "judged before figures for plots were kept" in page
    assert "nothing is known of its calibration" in page
    assert 'required minlength="10"' in page


def test_a_model_that_the_gate_passed_needs_no_reason(operator):
    page = operator.get(f"/console/models/{CANDIDATE[:12]}").text
    assert "minlength" not in page
    assert "changes from first/1 to second/1" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_says_what_is_live_and_what_each_worker_serves(
    operator, ledger, language
):
    with ledger.system_session("test") as house:
        house.models.promote(CANDIDATE, "chief", "better on our own images")
        unread = Message(
            "bundle-unreadable", {"part": "weights", "problem": "header 7"}
        )
        house.serving.report_refusal("worker-1", CANDIDATE, unread)
    page = operator.get("/console/models", params={"lang": language}).text
    for found in (
        "better on our own images",
        "worker-1",
        "header 7",
        "second/1",
    ):
        assert found in page
    assert page.count("badge live") == 1
    assert 'data-to="/v1/models/rollback"' in page


def test_a_shadow_that_has_read_nothing_yet_says_how_much_waits(operator, ledger):
    with ledger.system_session("test") as house:
        house.shadows.start(CANDIDATE, "test", 1.0)
    page = operator.get(f"/console/models/{CANDIDATE[:12]}").text
    assert "0 cases read" in page
    assert 'data-opens="stop-shadow"' in page


def test_whoever_is_no_operator_is_not_shown_them(as_person, browser):
    assert as_person(Role.READER).get("/console/models").status_code == 403
    stranger = browser().get("/console/models", follow_redirects=False)
    assert stranger.headers["location"] == "/sign-in?next=/console/models"
