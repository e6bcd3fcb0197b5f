import pytest

from cli.output.models import comparison_lines, gate_lines, gate_verdict, model_lines

RATE = {"value": 0.9, "low": 0.8, "high": 0.95, "found": 9, "of": 10}
SITE = {
    "images": 20,
    "malignant": 10,
    "auc": {"value": 0.91, "low": 0.8, "high": 1},
    "sensitivity": RATE,
}
GATE = {
    "verdict": "failed",
    "judged_against": "b" * 64,
    "stale": False,
    "at": "2026-11-25T03:00:00Z",
    "reasons": [
        {"code": "auc-worse", "sentence": "It is worse.", "weight": "against"},
        {"code": "calibrated", "sentence": "It is calibrated.", "weight": "for"},
        {"code": "images-unread", "sentence": "One was not read.", "weight": "note"},
    ],
    "figures": {
        "sites": [
            {"site": name, "specificity": RATE, **SITE} for name in ("north", "south")
        ]
    },
}
MODEL = {
    "name": "light",
    "version": 2,
    "digest": "a" * 64,
    "live": True,
    "shadow": False,
    "recipe": "light",
    "run_id": None,
    "synthetic": True,
    "created_at": "2026-11-25T02:59:59Z",
    "metrics": {"auc": 0.9312, "auc_low": 0.9, "auc_high": 0.96},
    "serving": ["w1"],
    "refused": [
        {"worker": "w2", "code": "bundle-tampered", "message": "Its digest differs."}
    ],
}


def test_a_judgement_is_told_with_a_sign_for_each_criterion_and_a_line_for_each_site():
    lines = gate_lines(GATE)
    assert (
        lines[0]
        == f"Gate: failed, judged 2026-11-25 03:00 UTC against model {'b' * 12}."
    )
    assert lines[1:4] == [
        "  - It is worse.",
        "  + It is calibrated.",
        "    One was not read.",
    ]
    assert (
        lines[4]
        == "    north: 20 images, AUC 0.910, sensitivity 90% (9/10), specificity 90% (9/10)"
    )
    assert len(lines) == 6


def test_a_single_site_has_no_line_of_its_own_and_a_gate_that_did_not_judge_has_none():
    assert len(gate_lines(GATE | {"figures": {"sites": [SITE]}})) == 4
    assert len(gate_lines(GATE | {"figures": {"images": 3}})) == 4


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (None, "-"),
        (GATE, "failed"),
        (GATE | {"verdict": "passed", "stale": True}, "passed (stale)"),
    ],
)
def test_the_gates_word_in_a_table(gate, text):
    assert gate_verdict(gate) == text


def test_a_models_page_says_what_an_administrator_asks():
    text = "\n".join(model_lines(MODEL, GATE))
    for item in (
        "light/2",
        ": live",
        "AUC 0.931 (95 % interval 0.900-0.960)",
        "mean nothing for a patient",
    ):
        assert item in text
    assert "Served by w1." in text
    assert "Refused by w2: Its digest differs. [bundle-tampered]" in text
    assert "The gate has not judged it." in model_lines(MODEL | {"gate": None}, None)


def test_a_shadow_is_told_with_and_without_outcomes():
    report = {
        "model": "a" * 64,
        "started_at": "2026-11-25T03:00:00Z",
        "ended_at": None,
        "end_reason": None,
        "read": 12,
        "unread": 2,
        "waiting": 3,
        "against": "b" * 64,
        "comparison": None,
    }
    assert comparison_lines(report)[-1] == "Nothing to compare yet."
    right = {
        "sensitivity": RATE,
        "specificity": RATE | {"of": 0, "value": None},
        "referred": 1,
    }
    auc = {
        "candidate": 0.95,
        "live": 0.9,
        "difference": 0.05,
        "low": -0.01,
        "high": 0.11,
        "p_value": 0.1,
    }
    found = {
        "agreement": {"cases": 10, "same": 9, "share": 0.9, "kappa": 0.8},
        "score_difference": {"mean": 0.01, "quantiles": {"0.05": -0.1, "0.95": 0.12}},
        "outcomes": {
            "cases": 10,
            "malignant": 5,
            "auc": auc,
            "candidate": right,
            "live": right,
        },
    }
    text = "\n".join(comparison_lines(report | {"comparison": found}))
    assert "the same decision in 9 of 10 (90%), kappa 0.80" in text
    assert (
        "AUC 0.950 against 0.900: difference +0.050 (95 % interval -0.010 to +0.110)"
        in text
    )
    assert "candidate: sensitivity 90% (9/10), specificity -, referred 1" in text
