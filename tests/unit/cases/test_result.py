from dataclasses import replace

import numpy as np
import pytest

from shared.cases.result import CaseFacts, HospitalSettings, ModelFacts, make_result
from shared.domain.model_standing import LockedTestAuc, ModelStanding
from shared.domain.results.findings import Finding
from shared.domain.results.model_reference import GateStanding, ModelReference
from shared.domain.results.prediction import Component, Prediction, Verdict
from shared.domain.results.rates import CutoffRates, Rate, RateSource
from shared.domain.results.result import Timings
from shared.domain.results.roi_source import RoiSource
from shared.guidelines import DEFAULT_RULE, RULES
from shared.imaging import Nodule, Roi
from shared.statistics import OperatingPoint, Proportion, Sigmoid

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
CASE = CaseFacts(size_mm=14.5, measured_mm=None, roi=None, findings=(ON_IMAGE,))
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


@pytest.mark.parametrize("source", RoiSource)
def test_the_result_says_what_was_read_and_whose_it_was(source):
    triangle = Roi(polygon=((1, 2), (30, 2), (1, 41)))
    pixels = np.zeros((40, 30), np.uint8)
    nodule = Nodule(pixels, pixels > 0, roi=triangle, roi_source=source)
    result = result_of(case=CaseFacts.from_nodule(nodule, size_mm=None))
    assert result.roi.box == (1, 2, 30, 40)
    assert result.roi.source is source
    assert result.roi.polygon == triangle.polygon


def test_of_a_whole_picture_no_region_is_stated():
    pixels = np.zeros((40, 30), np.uint8)
    case = CaseFacts.from_nodule(Nodule(pixels, pixels > 0), size_mm=None)
    assert result_of(case=case).roi is None


def test_an_image_unlike_the_training_images_is_referred():
    referred = replace(PREDICTION, decision=Verdict.REFER)
    assert result_of(prediction=referred).decision is Verdict.REFER


def test_components_are_on_the_scale_of_the_risk():
    component = replace(PREDICTION.components[0], probability=PREDICTION.risk)
    prediction = replace(PREDICTION, components=(component,))
    for prevalence in (0.1, 0.5, 0.9):
        settings = replace(SETTINGS, prevalence=prevalence)
        result = result_of(settings=settings, prediction=prediction)
        (shown,) = result.shown_components
        assert shown.probability == pytest.approx(result.risk)
        assert shown.prevalence == result.prevalence


def test_a_prevalence_is_an_assumption_until_it_is_set():
    assert result_of().prevalence_assumed is False
    assumed = replace(SETTINGS, prevalence_assumed=True)
    assert result_of(settings=assumed).prevalence_assumed is True


def rates_of(source: RateSource) -> CutoffRates:
    rate = Rate(value=0.9, low=0.6, high=0.98, count=9, of=10)
    return CutoffRates(sensitivity=rate, specificity=rate, source=source)


def test_only_the_models_own_cut_off_has_the_rates_of_the_locked_test():
    test_rates = rates_of(RateSource.LOCKED_TEST)
    share = Proportion(19, 20)
    point = OperatingPoint(0.95, 0.4, True, share, Proportion(1, 2))
    model = replace(MODEL, youden_rates=test_rates, operating_points=(point,))
    assert result_of(model=model).cutoff_rates == test_rates
    targeted = replace(SETTINGS, target_sensitivity=0.95)
    rates = result_of(model=model, settings=targeted).cutoff_rates
    assert rates.source is RateSource.CROSS_VALIDATION
    assert (rates.sensitivity.value, rates.specificity.value) == (0.95, 0.5)
    assert rates.sensitivity.low < 0.95 < rates.sensitivity.high


def test_without_stored_rates_there_are_none():
    assert result_of().cutoff_rates is None
    empty = OperatingPoint(0.95, 0.4, True, Proportion(0, 0), Proportion(1, 2))
    targeted = replace(SETTINGS, target_sensitivity=0.95)
    model = replace(MODEL, operating_points=(empty,))
    assert result_of(model=model, settings=targeted).cutoff_rates is None


def test_what_is_to_be_known_of_the_model_is_among_the_warnings():
    reference = replace(
        MODEL.reference,
        gate=GateStanding.OVERRULED,
        training_images=130,
        training_malignant=40,
        cross_validated_auc=0.9,
    )
    standing = ModelStanding(
        gate=GateStanding.OVERRULED,
        objection="objection-failed",
        test_auc=LockedTestAuc(value=0.7, low=0.6, high=0.8),
    )
    result = result_of(model=replace(MODEL, reference=reference, standing=standing))
    facts = {warning.code: dict(warning.facts) for warning in result.warnings[1:]}
    assert facts == {
        "gate-overruled": {"objection": "objection-failed"},
        "test-apart": {"cross_validated": 0.9, "test": 0.7, "low": 0.6, "high": 0.8},
        "few-training-images": {"malignant": 40, "benign": 90},
    }


def test_a_model_of_many_images_whose_figures_agree_has_no_remark():
    reference = replace(
        MODEL.reference,
        synthetic=False,
        gate=GateStanding.PASSED,
        training_images=200,
        training_malignant=100,
        cross_validated_auc=0.8,
    )
    standing = ModelStanding(test_auc=LockedTestAuc(value=0.7, low=0.6, high=0.8))
    result = result_of(model=replace(MODEL, reference=reference, standing=standing))
    assert codes(result) == ["roi-absent"]


INTERVALS = [(0.31, 0.62), (0.0, 1.0), (0.51, 0.6), (0.3, 0.49), (0.5, 0.5)]


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("prevalence", [0.01, 0.1, 0.23, 0.5, 0.9])
def test_the_interval_contains_the_risk_at_any_prevalence(interval, prevalence):
    """Also where Venn-Abers alone would leave the risk outside."""
    result = result_of(
        settings=replace(SETTINGS, prevalence=prevalence),
        prediction=replace(PREDICTION, risk_interval=interval),
    )
    low, high = result.risk_interval
    assert low <= result.risk <= high
    assert result.risk_guarantee == "venn-abers"


def test_the_interval_is_shifted_to_the_prevalence_as_the_risk_is():
    """By the odds: those of 0.1 are a ninth of those of 0.5."""
    result = result_of(
        settings=replace(SETTINGS, prevalence=0.1),
        prediction=replace(PREDICTION, risk_interval=(0.25, 0.75)),
    )
    assert result.risk_interval == pytest.approx((1 / 28, 1 / 4))


def test_a_prediction_without_an_interval_gives_a_result_without():
    result = result_of()
    assert (result.risk_interval, result.risk_guarantee) == (None, None)
