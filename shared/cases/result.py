"""Makes the result from a prediction, the case and its hospital's settings."""

from dataclasses import dataclass, replace

from shared.cases.cutoff_rates import cross_validated_rates
from shared.cases.decide import Decision, DecisionFacts, decide
from shared.cases.model_findings import model_findings
from shared.domain.model_standing import UNREGISTERED, ModelStanding
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.model_reference import ModelReference
from shared.domain.results.prediction import Component, Prediction, Verdict
from shared.domain.results.rates import CutoffRates
from shared.domain.results.result import (
    YOUDEN,
    ReadRoi,
    Result,
    RiskGuarantee,
    Timings,
)
from shared.guidelines import RULES, RuleUnknown, alternatives, recommend
from shared.imaging.image import Nodule
from shared.statistics import (
    OperatingPoint,
    ProbabilityInvalid,
    Sigmoid,
    interval_around,
    shift_prior,
)

SMALL_MM = 10.0
UNDER_10_MM = "under-10-mm"
TOO_SMALL = f"The nodule is under {SMALL_MM:g} mm; the published studies had none so small (K20)."
SIZE_NOT_GIVEN = Finding(
    "size-not-given",
    "No size was given, so there is no FNA advice. Give the nodule's largest diameter in mm.",
)
SIZE_TOLERANCE_SHARE = 0.2
SIZE_TOLERANCE_MM = 2.0
"""Two readers' measurements of one nodule differ by about 10 %. A warning is given only if a
difference exceeds both limits."""
SIZE_DIFFERS = "size-differs"
SIZES_DIFFER = (
    "The size given is {size_mm:g} mm, but the nodule measures {measured_mm:.1f} mm by the image's "
    "own scale. Check the size and the ROI: the FNA rule goes by the size."
)
DUPLICATE = "duplicate"
DUPLICATE_TEXT = (
    "The same image with the same size, ROI and frame was sent before, as the case {case}. If "
    "these are two patients, check which of them the image is of."
)


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """The facts of the case besides the prediction.

    Attributes
    ----------
    size_mm : the nodule's largest diameter as given, or None
    measured_mm : the diameter by the image's own scale; None if it has none
    roi : the region that was read; None for the whole picture
    findings : findings of the image
    duplicate_of : the id of an earlier case with the same content
    """

    size_mm: float | None
    measured_mm: float | None
    roi: ReadRoi | None
    findings: tuple[Finding, ...]
    duplicate_of: str | None = None

    @classmethod
    def from_nodule(
        cls,
        nodule: Nodule,
        *,
        size_mm: float | None,
        intake_findings: tuple[Finding, ...] = (),
        duplicate_of: str | None = None,
    ) -> "CaseFacts":
        """The facts of a cropped nodule and its submission.

        `intake_findings` are about the original, which was cleaned before it was stored.
        """
        return cls(
            size_mm=size_mm,
            measured_mm=nodule.diameter_mm,
            roi=_read_roi(nodule),
            findings=(*intake_findings, *nodule.findings),
            duplicate_of=duplicate_of,
        )


@dataclass(frozen=True, kw_only=True)
class HospitalSettings:
    """The settings of a hospital for its results, with defaults filled in.

    Attributes
    ----------
    prevalence : share of malignant nodules, 0 to 1
    fna_rule : the name of one of `shared.guidelines.RULES`
    target_sensitivity, refer_alpha : as in `DecisionFacts`
    prevalence_assumed : whether the prevalence is a default, since the hospital has set none
    """

    prevalence: float
    fna_rule: str
    target_sensitivity: float | None = None
    refer_alpha: float | None = None
    prevalence_assumed: bool = False

    def __post_init__(self) -> None:
        """Raises ProbabilityInvalid, RuleUnknown."""
        if not 0 < self.prevalence < 1:
            raise ProbabilityInvalid(
                what="A prevalence", where="between 0 and 1, both excluded"
            )
        if self.fna_rule not in RULES:
            raise RuleUnknown(rule=self.fna_rule, known=", ".join(RULES))


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The facts of the model that a result needs.

    Attributes
    ----------
    reference : the name, version and digest that the result carries
    prevalence : malignant fraction of its training images, at which `Prediction.risk` holds
    calibration : from score to risk at that prevalence
    operating_points : as in `DecisionFacts`
    youden_rates : the rates at the model's own cut-off; None if it stores none
    standing : the gate's word on it, and its figures on the locked test set
    """

    reference: ModelReference
    prevalence: float
    calibration: Sigmoid
    operating_points: tuple[OperatingPoint, ...] | None
    youden_rates: CutoffRates | None = None
    standing: ModelStanding = UNREGISTERED


def make_result(
    prediction: Prediction,
    *,
    case: CaseFacts,
    settings: HospitalSettings,
    model: ModelFacts,
    timings: Timings,
) -> Result:
    """Make the result of a case under its hospital's settings. Raises SizeInvalid."""
    decision = decide(_decision_facts(prediction, settings, model))
    cutoff_risk = float(model.calibration.apply(decision.cutoff))
    risk = risk_at(settings.prevalence, prediction.risk, model.prevalence)
    interval = risk_interval_at(settings.prevalence, risk, prediction, model)
    fna = None
    if case.size_mm is not None:
        fna = advise(risk, case.size_mm, settings.fna_rule)
    return Result(
        score=prediction.score,
        risk=risk,
        decision=decision.verdict,
        cutoff=decision.cutoff,
        cutoff_rule=decision.cutoff_rule,
        cutoff_risk=risk_at(settings.prevalence, cutoff_risk, model.prevalence),
        conformal=decision.conformal,
        prevalence=settings.prevalence,
        fna=fna,
        components=components_at(settings.prevalence, prediction, model),
        roi=case.roi,
        warnings=collect_warnings(prediction, decision, case, model),
        model=model.reference,
        timings_ms=timings,
        cutoff_rates=cutoff_rates(decision.cutoff_rule, model),
        prevalence_assumed=settings.prevalence_assumed,
        risk_interval=interval,
        risk_guarantee=None if interval is None else RiskGuarantee.VENN_ABERS,
    )


def risk_at(prevalence: float, risk: float, trained_at: float) -> float:
    """Shift a risk from the prevalence of the training images to another prevalence."""
    return float(shift_prior(risk, trained_at, prevalence))


def risk_interval_at(
    prevalence: float, risk: float, prediction: Prediction, model: ModelFacts
) -> tuple[float, float] | None:
    """Return the interval of a risk at a prevalence, shifted as the risk is; it contains the risk."""
    if prediction.risk_interval is None:
        return None
    low, high = (
        risk_at(prevalence, end, trained_at=model.prevalence)
        for end in prediction.risk_interval
    )
    return interval_around(risk, (low, high))


def components_at(
    prevalence: float, prediction: Prediction, model: ModelFacts
) -> tuple[Component, ...]:
    """The components with their probabilities shifted to the prevalence of the risk."""
    return tuple(
        replace(
            component,
            probability=risk_at(
                prevalence, component.probability, trained_at=model.prevalence
            ),
            prevalence=prevalence,
        )
        for component in prediction.components
    )


def cutoff_rates(rule: str, model: ModelFacts) -> CutoffRates | None:
    """The rates at the cut-off that the rule chose.

    Only the model's own cut-off is measured on the locked test set. The rates of the others are
    cross-validated.
    """
    if rule == YOUDEN:
        return model.youden_rates
    for point in model.operating_points or ():
        if point.rule == rule:
            return cross_validated_rates(
                sensitivity=point.sensitivity, specificity=point.specificity
            )
    return None


def advise(risk: float, size_mm: float, rule: str) -> FnaAdvice:
    """Return the advice of the hospital's rule, with the other rules' advice as alternatives."""
    advice = recommend(risk, size_mm, rule)
    return replace(advice, alternatives=alternatives(risk, size_mm, excluded_rule=rule))


def _read_roi(nodule: Nodule) -> ReadRoi | None:
    """Return the region that was read, and its source."""
    if nodule.roi is None or nodule.roi_source is None:
        return None
    bounds = nodule.roi.bounds
    return ReadRoi(
        box=(bounds.x, bounds.y, bounds.width, bounds.height),
        source=nodule.roi_source,
        polygon=nodule.roi.polygon,
    )


def collect_warnings(
    prediction: Prediction, decision: Decision, case: CaseFacts, model: ModelFacts
) -> tuple[Finding, ...]:
    """Collect the findings of the image, the model and the decision, then the findings of the case.

    Each code occurs once.
    """
    findings = [
        *case.findings,
        *prediction.findings,
        *decision.findings,
        *_size_findings(case),
    ]
    if case.duplicate_of:
        message = DUPLICATE_TEXT.format(case=case.duplicate_of)
        findings.append(Finding(DUPLICATE, message, {"case": case.duplicate_of}))
    findings += model_findings(model.reference, model.standing)
    return tuple({finding.code: finding for finding in findings}.values())


def size_differs(size_mm: float, measured_mm: float) -> bool:
    """Whether the given size and the size measured in the image differ too much for one nodule."""
    difference = abs(size_mm - measured_mm)
    return (
        difference > SIZE_TOLERANCE_MM and difference > SIZE_TOLERANCE_SHARE * size_mm
    )


def _decision_facts(
    prediction: Prediction, settings: HospitalSettings, model: ModelFacts
) -> DecisionFacts:
    return DecisionFacts(
        score=prediction.score,
        unlike_training=prediction.decision is Verdict.REFER,
        youden_cutoff=prediction.cutoff,
        operating_points=model.operating_points,
        benign_p=prediction.benign_p,
        malignant_p=prediction.malignant_p,
        target_sensitivity=settings.target_sensitivity,
        refer_alpha=settings.refer_alpha,
    )


def _size_findings(case: CaseFacts) -> list[Finding]:
    if case.size_mm is None:
        return [SIZE_NOT_GIVEN]
    findings = []
    if case.size_mm < SMALL_MM:
        facts = {"size_mm": case.size_mm, "limit_mm": SMALL_MM}
        findings.append(Finding(UNDER_10_MM, TOO_SMALL, facts))
    if case.measured_mm is not None and size_differs(case.size_mm, case.measured_mm):
        sizes = {"size_mm": case.size_mm, "measured_mm": case.measured_mm}
        findings.append(Finding(SIZE_DIFFERS, SIZES_DIFFER.format(**sizes), sizes))
    return findings
