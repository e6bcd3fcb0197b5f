"""Gates, promotions and rollbacks on a real database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import DBAPIError

from shared.domain.audit.events import Event
from shared.domain.models import (
    GateReason,
    GateVerdict,
    Judgement,
    ModelUnknown,
    PromotionKind,
    Weight,
)
from shared.ledger.models.repository import (
    AlreadyLive,
    NoEarlierModel,
    PromotionNeedsReason,
)

REASON = "the old one misses calcified nodules"
A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture
def models(ledger):
    """Three stored models, none live."""
    with ledger.system_session("test") as system:
        for digest in (A, B, C):
            system.models.store(
                digest=digest,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={},
            )


@pytest.fixture
def promote(ledger, models):
    def promoted(digest, reason=None):
        with ledger.system_session("operator") as system:
            system.models.promote(digest, "operator", reason)

    return promoted


@pytest.fixture
def rollback(ledger):
    def back(reason=None):
        with ledger.system_session("operator") as system:
            return system.models.rollback("operator", reason)

    return back


@pytest.fixture
def gate(ledger, models):
    """Keeps a verdict on a model, judged against another."""

    def gated(digest, verdict, live=None):
        weight = Weight.FOR if verdict is GateVerdict.PASSED else Weight.AGAINST
        judgement = Judgement(
            verdict,
            (GateReason("no-live-model", weight, {"auc": 0.9}),),
            {"images": 3},
            {"m": 1},
        )
        with ledger.system_session("trainer") as system:
            return system.gate_judgements.record(digest, live, None, None, judgement)

    return gated


def live(ledger):
    with ledger.system_session("test") as system:
        return system.models.live_digest()


def test_a_first_model_needs_neither_gate_nor_reason(ledger, promote):
    promote(A)
    assert live(ledger) == A


def test_a_first_model_that_failed_its_gate_needs_a_reason(ledger, promote, gate):
    gate(A, GateVerdict.FAILED)
    with pytest.raises(PromotionNeedsReason, match=r"AUC 0\.900"):
        promote(A)
    promote(A, REASON)
    assert live(ledger) == A


@pytest.mark.parametrize("verdict", [GateVerdict.PASSED, GateVerdict.NOT_JUDGED])
def test_a_first_model_is_promoted_whatever_else_the_gate_said(
    ledger, promote, gate, verdict
):
    gate(A, verdict)
    promote(A)
    assert live(ledger) == A


def test_a_second_model_needs_a_gate_or_a_reason(ledger, promote):
    promote(A)
    with pytest.raises(
        PromotionNeedsReason, match=r"has not judged.*--reason"
    ) as refused:
        promote(B)
    assert (refused.value.status, refused.value.code) == (409, "promotion-needs-reason")
    promote(B, REASON)
    assert live(ledger) == B


@pytest.mark.parametrize("reason", ["", "because", "         b", None])
def test_a_reason_of_fewer_than_ten_characters_is_none(promote, reason):
    promote(A)
    with pytest.raises(PromotionNeedsReason, match="at least 10 characters"):
        promote(B, reason)


def test_a_model_the_gate_passed_against_the_live_one_needs_no_reason(
    ledger, promote, gate
):
    promote(A)
    judgement_row = gate(B, GateVerdict.PASSED, live=A)
    promote(B)
    (row, _) = _history(ledger)
    assert (row.model_digest, row.gate_id, row.verdict, row.reason) == (
        B,
        judgement_row.id,
        GateVerdict.PASSED,
        None,
    )


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (GateVerdict.FAILED, "failed this model"),
        (GateVerdict.NOT_JUDGED, "could not judge"),
    ],
)
def test_a_gate_that_did_not_pass_is_quoted(promote, gate, verdict, sentence):
    promote(A)
    gate(B, verdict, live=A)
    with pytest.raises(PromotionNeedsReason, match=rf"{sentence}.* AUC 0\.900"):
        promote(B)


def test_a_gate_against_another_model_than_the_live_one_is_stale(promote, gate):
    promote(A)
    gate(B, GateVerdict.PASSED, live=A)
    promote(C, REASON)
    with pytest.raises(
        PromotionNeedsReason,
        match=f"when model {A[:12]} was live, and {C[:12]} is live now",
    ):
        promote(B)


def test_only_the_last_gate_counts(promote, gate, ledger):
    promote(A)
    gate(B, GateVerdict.PASSED, live=A)
    last = gate(B, GateVerdict.FAILED, live=A)
    with pytest.raises(PromotionNeedsReason):
        promote(B)
    with ledger.system_session("test") as system:
        assert system.gate_judgements.latest(B) == last
        assert [
            judgement.verdict for judgement in system.gate_judgements.of_model(B)
        ] == [
            GateVerdict.FAILED,
            GateVerdict.PASSED,
        ]
        assert system.gate_judgements.latest_by_model() == {B: last}
        assert system.gate_judgements.latest(A) is None


def test_what_is_live_is_not_promoted_again_and_what_is_unknown_never(promote):
    promote(A)
    with pytest.raises(AlreadyLive, match="light/1 is live already"):
        promote(A, REASON)
    with pytest.raises(ModelUnknown):
        promote("d" * 64, REASON)


def test_rollbacks_go_back_one_after_another_and_end_at_the_first_model(
    ledger, promote, rollback
):
    for digest in (A, B, C):
        promote(digest, REASON)
    assert (rollback(), rollback()) == (B, A)
    with pytest.raises(NoEarlierModel):
        rollback()
    assert live(ledger) == A


def test_after_a_rollback_the_model_that_failed_is_not_gone_back_to(promote, rollback):
    for digest in (A, B):
        promote(digest, REASON)
    rollback("it calls everything malignant")
    promote(C, REASON)
    assert rollback() == A


def test_without_any_promotion_there_is_nothing_to_roll_back_to(rollback):
    with pytest.raises(NoEarlierModel) as refused:
        rollback()
    assert (refused.value.status, refused.value.code) == (
        409,
        "nothing-to-roll-back-to",
    )


def test_the_history_tells_who_made_what_live_and_why(ledger, promote, rollback):
    promote(A)
    promote(B, REASON)
    rollback("worse in the south")
    events = [
        (row.kind, row.model_digest, row.version, row.actor, row.reason)
        for row in _history(ledger)
    ]
    assert events == [
        (PromotionKind.ROLLBACK, A, 1, "operator", "worse in the south"),
        (PromotionKind.PROMOTE, B, 2, "operator", REASON),
        (PromotionKind.PROMOTE, A, 1, "operator", None),
    ]


def test_every_change_is_audited_with_the_verdict_and_the_reason(
    ledger, promote, gate, rollback
):
    promote(A)
    judgement_row = gate(B, GateVerdict.FAILED, live=A)
    promote(B, REASON)
    rollback()
    _, gated, promoted, back = _audited(ledger)
    assert gated.details == {
        "gate": judgement_row.id,
        "model": B,
        "live": A,
        "verdict": "failed",
        "against": ["no-live-model"],
    }
    assert (
        promoted.details.items()
        >= {"model": B, "before": A, "verdict": "failed", "reason": REASON}.items()
    )
    assert promoted.details["objection"] == "objection-failed"
    assert (promoted.actor, back.details["model"], back.details["before"]) == (
        "operator",
        A,
        B,
    )


def test_of_two_operators_who_promote_at_once_the_second_is_judged_by_what_the_first_made_live(
    ledger, promote, gate
):
    promote(A)
    for digest in (B, C):
        gate(digest, GateVerdict.PASSED, live=A)

    def attempt(digest):
        try:
            promote(digest)
        except PromotionNeedsReason as refused:
            return refused.code
        return None

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(attempt, (B, C)))
    assert sorted(outcomes, key=str) == [None, "promotion-needs-reason"]
    assert live(ledger) == (B, C)[outcomes.index(None)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotions SET reason = 'x'",
        "DELETE FROM promotions",
        "TRUNCATE promotions",
    ],
)
def test_the_database_itself_refuses_to_change_what_is_on_record(
    ledger, promote, statement
):
    promote(A)
    with (
        pytest.raises(DBAPIError, match="append-only"),
        ledger.engine.begin() as connection,
    ):
        connection.exec_driver_sql(statement)


def _history(ledger):
    with ledger.system_session("test") as system:
        return system.models.history()


def _audited(ledger):
    events = (Event.MODEL_GATED, Event.MODEL_PROMOTED, Event.MODEL_ROLLED_BACK)
    with ledger.system_session("test") as system:
        return [
            event for event in system.audit.page(limit=1000) if event.event in events
        ]
