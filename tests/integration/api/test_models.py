"""The life cycle of a model over HTTP: gate, promotion, rollback, shadow evaluation."""

import pytest

from shared.domain.messages import Message
from shared.domain.models import GateReason, GateVerdict, Judgement, Weight
from shared.domain.roles import Role

REASON = "the old one misses calcified nodules"
A = "a" * 64
B = "b" * 64
FIGURES = {"images": 30, "sites": [{"site": "north"}], "worst_site": "north"}


@pytest.fixture
def operator(as_role, ledger):
    """An operator's client; two models are stored."""
    with ledger.system_session("test") as session:
        for digest in (A, B):
            session.models.store(
                digest,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={"auc": 0.9},
            )
    return as_role(Role.OPERATOR)


@pytest.fixture
def gate(ledger):
    def record_judgement(digest, verdict, live):
        weight = Weight.FOR if verdict is GateVerdict.PASSED else Weight.AGAINST
        judgement = Judgement(
            verdict,
            (GateReason("no-live-model", weight, {"auc": 0.9}),),
            FIGURES,
            {"margin": 0.05},
        )
        with ledger.system_session("trainer") as session:
            session.gate_judgements.record(digest, live, None, None, judgement)

    return record_judgement


def promote(operator, digest, **body):
    return operator.post(f"/v1/models/{digest}/promote", json=body)


def test_a_promotion_against_the_gate_needs_a_reason_and_quotes_the_judgement(
    operator, gate
):
    assert promote(operator, A).json()["live"]
    gate(B, GateVerdict.FAILED, A)
    refused = promote(operator, B, reason="because")
    assert (refused.status_code, refused.json()["code"]) == (
        409,
        "promotion-needs-reason",
    )
    assert (
        "The gate failed this model. AUC 0.900. No model is live"
        in refused.json()["detail"]
    )
    assert promote(operator, B, reason=REASON).json()["live"]
    repeat = promote(operator, B, reason=REASON)
    assert (repeat.status_code, repeat.json()["code"]) == (409, "already-live")


def test_a_model_is_shown_with_its_gate_judgement_and_a_stale_one_is_marked(
    operator, gate
):
    promote(operator, A)
    assert operator.get(f"/v1/models/{B}").json()["gate"] is None
    assert operator.get(f"/v1/models/{B}/gate").json()["code"] == "gate-absent"
    gate(B, GateVerdict.PASSED, A)
    gate(A, GateVerdict.PASSED, None)
    gates_by_digest = {
        model["digest"]: model["gate"] for model in operator.get("/v1/models").json()
    }
    assert (
        gates_by_digest[B]["verdict"],
        gates_by_digest[B]["judged_against"],
        gates_by_digest[B]["stale"],
    ) == (
        "passed",
        A,
        False,
    )
    assert not gates_by_digest[A]["stale"]
    full = operator.get(f"/v1/models/{B}/gate").json()
    assert (full["figures"], full["policy"]) == (FIGURES, {"margin": 0.05})
    (reason,) = full["reasons"]
    assert (reason["code"], reason["weight"], reason["facts"]) == (
        "no-live-model",
        "for",
        {"auc": 0.9},
    )
    assert reason["sentence"].startswith("AUC 0.900. No model is live")
    promote(operator, B)
    gate(A, GateVerdict.PASSED, None)
    assert operator.get(f"/v1/models/{A}").json()["gate"]["stale"]


def test_a_rollback_is_one_call_and_is_listed_among_the_promotions(operator):
    answer = operator.post("/v1/models/rollback")
    assert (answer.status_code, answer.json()["code"]) == (
        409,
        "nothing-to-roll-back-to",
    )
    promote(operator, A)
    promote(operator, B, reason=REASON)
    assert (
        operator.post("/v1/models/rollback", json={"reason": "worse"}).json()["digest"]
        == A
    )
    promotions = operator.get("/v1/promotions").json()
    assert [
        (promotion["kind"], promotion["model"], promotion["reason"])
        for promotion in promotions
    ] == [
        ("rollback", A, "worse"),
        ("promote", B, REASON),
        ("promote", A, None),
    ]
    assert promotions[0]["actor"].startswith("key:")
    assert len(operator.get("/v1/promotions", params={"limit": 1}).json()) == 1


def test_workers_are_listed_with_the_models_they_serve_and_refuse(operator, ledger):
    promote(operator, A)
    with ledger.system_session("w1") as session:
        session.serving.report("w1", A)
    promote(operator, B, reason=REASON)
    with ledger.system_session("w1") as session:
        session.serving.report_refusal(
            "w1", B, Message("bundle-tampered", {"part": "manifest"})
        )
    (worker,) = operator.get("/v1/workers").json()
    message = (
        "The bundle's manifest is not what was saved: its digest differs. Do not use it; fetch "
        "the bundle again."
    )
    refusal = {
        "code": "bundle-tampered",
        "message": message,
        "facts": {"part": "manifest"},
    }
    assert (worker["worker"], worker["model"]) == ("w1", A)
    assert worker["refused"] == {"model": B, **refusal}
    models = {model["digest"]: model for model in operator.get("/v1/models").json()}
    assert (models[A]["serving"], models[B]["serving"]) == (["w1"], [])
    assert models[B]["refused"] == [{"worker": "w1", **refusal}]


def test_only_one_shadow_evaluation_runs_at_a_time(operator):
    promote(operator, A)
    assert operator.post(f"/v1/models/{A}/shadow").json()["code"] == "already-live"
    started = operator.post(f"/v1/models/{B}/shadow", json={"share": 0.5})
    assert (
        started.status_code,
        started.json()["share"],
        started.json()["ended_at"],
    ) == (
        201,
        0.5,
        None,
    )
    answer = operator.post(f"/v1/models/{B}/shadow")
    assert (answer.status_code, answer.json()["code"]) == (409, "shadow-running")
    assert [
        model["digest"]
        for model in operator.get("/v1/models").json()
        if model["shadow"]
    ] == [B]
    report = operator.get(f"/v1/models/{B}/shadow").json()
    assert (report["read"], report["waiting"], report["comparison"]) == (0, 0, None)
    ended = operator.delete("/v1/shadow", params={"reason": "seen enough"}).json()
    assert (ended["end_reason"], ended["ended_at"] is None) == ("seen enough", False)
    assert operator.delete("/v1/shadow").json()["code"] == "shadow-absent"


@pytest.mark.parametrize("share", [0, -1, 1.5, "all"])
def test_an_invalid_share_is_refused(operator, share):
    assert (
        operator.post(f"/v1/models/{B}/shadow", json={"share": share}).status_code
        == 422
    )


def test_a_promotion_ends_the_shadow_evaluation_of_the_model(operator):
    promote(operator, A)
    operator.post(f"/v1/models/{B}/shadow")
    promote(operator, B, reason=REASON)
    assert (
        operator.get(f"/v1/models/{B}/shadow").json()["end_reason"]
        == "The model was promoted."
    )
    events = [event["event"] for event in operator.get("/v1/audit").json()]
    assert events[-3:] == ["shadow.started", "model.promoted", "shadow.ended"]


def test_a_model_without_a_shadow_evaluation_has_no_report(operator):
    answer = operator.get(f"/v1/models/{A}/shadow")
    assert (answer.status_code, answer.json()["code"]) == (404, "shadow-absent")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/promotions"),
        ("GET", "/v1/workers"),
        ("GET", f"/v1/models/{A}/gate"),
        ("GET", f"/v1/models/{A}/shadow"),
        ("POST", "/v1/models/rollback"),
        ("POST", f"/v1/models/{A}/shadow"),
        ("DELETE", "/v1/shadow"),
    ],
)
def test_hospitals_cannot_see_or_change_models(operator, north, method, path):
    assert north.request(method, path).status_code == 403


@pytest.fixture
def operators(as_person, operator):
    """The clients of two people who are operators; two models are stored and one is live."""
    assert promote(operator, A).json()["live"]
    return as_person(Role.OPERATOR), as_person(Role.OPERATOR)


def test_two_operators_have_to_agree_against_the_gate_where_there_are_two(
    operators, operator, gate, ledger
):
    first, second = operators
    gate(B, GateVerdict.FAILED, A)
    for _ in range(2):
        answer = promote(first, B, reason=REASON)
        assert (answer.status_code, answer.json()["code"]) == (
            409,
            "promotion-needs-second-operator",
        )
    by_key = promote(operator, B, reason=REASON)
    assert by_key.json()["code"] == "promotion-needs-people"
    assert promote(second, B, reason="because").json()["code"] == (
        "promotion-needs-reason"
    )
    assert promote(second, B, reason=REASON).json()["live"]
    with ledger.system_session("test") as session:
        standing = session.models.standing(B)
    assert (standing.gate, standing.objection) == ("overruled", "objection-failed")


def test_a_proposal_ends_when_another_model_becomes_live(operators, gate):
    first, second = operators
    gate(B, GateVerdict.FAILED, A)
    promote(first, B, reason=REASON)
    promote(second, B, reason=REASON)
    assert first.post("/v1/models/rollback").json()["digest"] == A
    answer = promote(second, B, reason=REASON)
    assert answer.json()["code"] == "promotion-needs-second-operator"


def test_one_operator_is_enough_for_a_model_that_the_gate_passed(operators, gate):
    first, _ = operators
    gate(B, GateVerdict.PASSED, A)
    assert promote(first, B).json()["live"]


def test_the_standing_of_a_model_has_the_gates_word_and_the_locked_test(
    operator, ledger
):
    rate = {"value": 0.9, "low": 0.7, "high": 0.97, "found": 18, "of": 20}
    figures = {
        "candidate": {
            "sensitivity": rate,
            "specificity": rate | {"value": None, "of": 0, "found": 0},
            "auc": {"value": 0.8, "low": 0.7, "high": 0.9},
        }
    }
    judgement = Judgement(GateVerdict.PASSED, (), figures, {})
    with ledger.system_session("trainer") as session:
        before = session.models.standing(A)
        session.gate_judgements.record(A, None, None, None, judgement)
    assert promote(operator, A).json()["live"]
    with ledger.system_session("test") as session:
        standing = session.models.standing(A)
    assert (before.gate, before.test_auc) == ("not-asked", None)
    assert (standing.gate, standing.objection) == ("passed", None)
    assert (standing.test_sensitivity.count, standing.test_specificity) == (18, None)
    assert standing.test_auc.value == 0.8


def test_the_wallboard_says_what_results_of_the_live_model_say_of_it(
    operator, ledger, gate
):
    promote(operator, A)
    promote(operator, B, reason=REASON)
    assert operator.get("/v1/wall").json()["model"]["cautions"] == ["gate-overruled"]
