import pytest

from shared.cases.decide import DecisionFacts, decide
from shared.domain.results.prediction import Verdict
from shared.statistics import OperatingPoint, Proportion

RATE = Proportion(9, 10)
POINTS = tuple(
    OperatingPoint(target, cutoff, True, RATE, RATE)
    for target, cutoff in ((0.9, 0.4), (0.95, 0.3))
)


def facts(**changes: object) -> DecisionFacts:
    defaults = {
        "score": 0.6,
        "unlike_training": False,
        "youden_cutoff": 0.5,
        "operating_points": POINTS,
        "benign_p": 0.02,
        "malignant_p": 0.7,
        "target_sensitivity": None,
        "refer_alpha": None,
    }
    return DecisionFacts(**defaults | changes)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.6, Verdict.MALIGNANT), (0.5, Verdict.MALIGNANT), (0.4999, Verdict.BENIGN)],
)
def test_a_score_at_the_cut_off_is_malignant(score, verdict):
    decision = decide(facts(score=score))
    assert (decision.verdict, decision.cutoff, decision.cutoff_rule) == (
        verdict,
        0.5,
        "youden",
    )
    assert (decision.conformal, decision.findings) == (None, ())


@pytest.mark.parametrize(
    ("target", "cutoff", "rule"),
    [
        (0.9, 0.4, "sensitivity>=0.9"),
        (0.92, 0.3, "sensitivity>=0.95"),
        (0.99, 0.3, "sensitivity>=0.95"),
    ],
)
def test_a_target_selects_the_least_point_that_reaches_it(target, cutoff, rule):
    decision = decide(facts(target_sensitivity=target))
    assert (decision.cutoff, decision.cutoff_rule) == (cutoff, rule)


def test_an_image_unlike_the_training_images_is_referred_whatever_its_score():
    assert decide(facts(unlike_training=True, score=1.0)).verdict is Verdict.REFER


@pytest.mark.parametrize(
    ("benign_p", "malignant_p", "classes", "sentence"),
    [
        (0.3, 0.3, (Verdict.BENIGN, Verdict.MALIGNANT), "may be benign or malignant"),
        (0.05, 0.1, (), "like neither"),
    ],
)
def test_a_case_that_is_not_certain_is_referred_with_its_error_limit(
    benign_p, malignant_p, classes, sentence
):
    decision = decide(
        facts(benign_p=benign_p, malignant_p=malignant_p, refer_alpha=0.1)
    )
    (finding,) = decision.findings
    assert decision.verdict is Verdict.REFER
    assert decision.conformal.set == classes
    assert (finding.code, finding.facts) == ("uncertain", {"per_cent": 10.0})
    assert sentence in finding.message
    assert "error level of 10 %" in finding.message


def test_a_certain_case_is_decided_and_keeps_its_p_values():
    decision = decide(facts(refer_alpha=0.1))
    assert decision.verdict is Verdict.MALIGNANT
    assert (decision.conformal.set, decision.findings) == ((Verdict.MALIGNANT,), ())
    assert (decision.conformal.benign_p, decision.conformal.malignant_p) == (0.02, 0.7)


def test_a_model_without_evidence_uses_youden_and_names_the_unmet_settings():
    old = {"operating_points": None, "benign_p": None, "malignant_p": None}
    decision = decide(facts(**old, target_sensitivity=0.95, refer_alpha=0.1))
    (finding,) = decision.findings
    assert (decision.cutoff_rule, decision.conformal) == ("youden", None)
    assert finding.code == "setting-unmet"
    assert finding.facts == {"target_sensitivity": 0.95, "refer_alpha": 0.1}
    assert "sensitivity and referring uncertain cases" in finding.message


def test_a_model_without_evidence_has_no_finding_without_such_settings():
    old = {"operating_points": None, "benign_p": None, "malignant_p": None}
    assert decide(facts(**old)).findings == ()
