from dataclasses import replace

import pytest

from shared.cases.result import CaseFacts, HospitalSettings, ModelFacts, make_result
from shared.domain.results.findings import Finding
from shared.domain.results.model_reference import ModelReference
from shared.domain.results.prediction import Component, Prediction, Verdict
from shared.domain.results.result import Timings
from shared.guidelines import DEFAULT_RULE, RULES
from shared.imaging import Box
from shared.statistics import Sigmoid

ON_IMAGE = Finding("roi-absent", "No ROI was given.")
PREDICTION = Prediction(
    score=0.7,
    risk=0.5,
    decision=Verdict.MALIGNANT,
    cutoff=0.5,
    components=(Component("squeezenet", "avg", "svm", 0.73),),
    strangeness=1.0,
    embedding=(0.1,),
    benign_p=0.02,
    malignant_p=0.6,
)
CASE = CaseFacts(size_mm=14.5, measured_mm=None, found_roi=None, findings=(ON_IMAGE,))
SETTINGS = HospitalSettings(prevalence=0.5, fna_rule=DEFAULT_RULE)
MODEL = ModelFacts(
    reference=ModelReference(name="light", version=2, digest="d" * 64),
    prevalence=0.5,
    calibration=Sigmoid(4.0, -2.0),
    operating_points=(),
)


def result_of(case=CASE, settings=SETTINGS, model=MODEL, prediction=PREDICTION):
    timings = Timings(waited=1.0, prepare=2.0, infer=3.0)
    return make_result(
        prediction, case=case, settings=settings, model=model, timings=timings
    )


def codes(result):
    return [warning.code for warning in result.warnings]


def test_at_the_training_prevalence_the_risk_is_the_models_own():
    result = result_of()
    assert result.risk == pytest.approx(0.5)
    assert result.cutoff_risk == pytest.approx(0.5)
    (component,) = result.components
    assert component == replace(PREDICTION.components[0], prevalence=0.5)
    assert result.model == MODEL.reference


def test_risk_and_cut_off_follow_the_hospitals_prevalence_and_the_decision_does_not():
    rare = result_of(settings=replace(SETTINGS, prevalence=0.1))
    assert rare.risk == pytest.approx(0.1)
    assert rare.cutoff_risk == pytest.approx(0.1)
    assert (rare.prevalence, rare.decision) == (0.1, result_of().decision)


@pytest.mark.parametrize("rule", RULES)
def test_the_advice_follows_the_hospitals_rule_with_the_others_as_alternatives(rule):
    fna = result_of(settings=replace(SETTINGS, fna_rule=rule)).fna
    assert (fna.rule, fna.size_mm, fna.risk) == (rule, 14.5, result_of().risk)
    assert {alternative.rule for alternative in fna.alternatives} == set(RULES) - {rule}


def test_without_a_size_there_is_a_warning_and_no_advice():
    result = result_of(case=replace(CASE, size_mm=None, measured_mm=12.0))
    assert result.fna is None
    assert codes(result) == ["roi-absent", "size-not-given"]


def test_a_small_nodule_has_a_warning_with_its_size():
    assert "under-10-mm" not in codes(result_of(case=replace(CASE, size_mm=10.0)))
    warning = result_of(case=replace(CASE, size_mm=6.0)).warnings[-1]
    assert (warning.code, warning.facts) == (
        "under-10-mm",
        {"size_mm": 6.0, "limit_mm": 10.0},
    )


@pytest.mark.parametrize(
    ("size_mm", "measured_mm", "differs"),
    [
        (30, 30, False),
        (30, 36, False),
        (30, 36.1, True),
        (30, 23, True),
        (10, 12, False),
    ],
)
def test_sizes_that_differ_too_much_are_both_in_the_warning(
    size_mm, measured_mm, differs
):
    result = result_of(case=replace(CASE, size_mm=size_mm, measured_mm=measured_mm))
    sizes = [
        warning.facts for warning in result.warnings if warning.code == "size-differs"
    ]
    expected = {"size_mm": size_mm, "measured_mm": measured_mm}
    assert sizes == ([expected] if differs else [])


def test_the_warnings_of_a_duplicate_and_a_synthetic_model_come_last():
    case = replace(CASE, duplicate_of="1f0b8f5e")
    drawn = replace(MODEL.reference, synthetic=True)
    result = result_of(case=case, model=replace(MODEL, reference=drawn))
    assert codes(result) == ["roi-absent", "duplicate", "synthetic-model"]
    assert result.warnings[1].facts == {"case": "1f0b8f5e"}


def test_each_warning_code_occurs_once():
    prediction = replace(PREDICTION, findings=(ON_IMAGE,))
    assert codes(result_of(prediction=prediction)) == ["roi-absent"]


def test_the_roi_between_calipers_is_in_pixels():
    result = result_of(case=replace(CASE, found_roi=Box(1, 2, 30, 40)))
    assert (result.roi.box, result.roi.source) == ((1, 2, 30, 40), "calipers")
    assert result_of().roi is None


def test_an_image_unlike_the_training_images_is_referred():
    referred = replace(PREDICTION, decision=Verdict.REFER)
    assert result_of(prediction=referred).decision is Verdict.REFER
