"""API schemas of the dashboards. Rates are fractions; intervals are 95 % intervals."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonValue

from shared.ledger.monitoring.observations import Quantity
from shared.statistics import DriftState

HOSPITAL = "5f0a1c9e-2f64-4d0b-9a51-0d6f3c6b7e21"
DIGEST = "9f2c" * 16
RATE: dict[str, JsonValue] = {
    "value": 0.105,
    "low": 0.079,
    "high": 0.139,
    "count": 42,
    "of": 400,
}


def _example(**fields: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class RateView(BaseModel):
    """A proportion with Wilson's interval."""

    model_config = _example(**RATE)
    value: float | None = Field(description="`count` / `of`; null if `of` is 0.")
    low: float
    high: float
    count: int
    of: int


class WindowView(BaseModel):
    model_config = _example(since="2026-10-26T00:00:00Z", until=None)
    since: datetime = Field(description="Start of the window.")
    until: datetime | None = Field(description="End of the window; null for now.")


class MonitoredModelView(BaseModel):
    model_config = _example(digest=DIGEST, name="light", version=2)
    digest: str
    name: str | None = Field(description="Null if the model is no longer stored.")
    version: int | None


class QuantityDrift(BaseModel):
    """One quantity of the results, compared with the training images."""

    model_config = _example(
        quantity="score",
        n=412,
        psi=0.31,
        watch_from=0.1,
        alarm_from=0.25,
        ks_distance=0.19,
        ks_p=0.0004,
        component=None,
        state="alarm",
    )
    quantity: Quantity
    n: int = Field(description="Number of results with this quantity.")
    psi: float = Field(
        description="Population stability index over the training images' deciles; 0 is no change."
    )
    watch_from: float = Field(
        description="Watch threshold of the PSI: 0.1, or the value that is exceeded by chance in "
        "5 % of measurements with this number of cases, if that value is higher."
    )
    alarm_from: float = Field(
        description="Alarm threshold of the PSI: 0.25, or the value that is exceeded by chance in "
        "1 % of measurements with this number of cases, if that value is higher."
    )
    ks_distance: float = Field(
        description="Largest distance between the two distribution functions."
    )
    ks_p: float = Field(
        description="P-value of the Kolmogorov-Smirnov test. For an embedding it is the smallest "
        "p-value of its directions, corrected for their number."
    )
    component: int | None = Field(
        description="For an embedding, the principal direction with the largest PSI, counted from "
        "1."
    )
    state: DriftState


class DriftGroup(BaseModel):
    """One hospital, or one device of it, under one model."""

    level: str = Field(
        description="`hospital` for all devices together, `device` for one device.",
        examples=["device"],
    )
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    device: str | None = Field(
        description="Make and model of the scanner. Null if the files do not name it, and for "
        "level `hospital`.",
        examples=["Philips Medical Systems EPIQ 7G"],
    )
    model: MonitoredModelView
    n: int = Field(description="Results in the window.", examples=[412])
    state: DriftState | None = Field(
        description="The worst state of the quantities: ok, watch, alarm or too-few. Null if the "
        "model has no "
        "reference."
    )
    quantities: list[QuantityDrift]
    sentences: list[str] = Field(
        examples=[
            [
                "score: PSI 0.31 (alarm from 0.25) over 412 results, KS distance 0.19 (p < 0.001)."
            ]
        ]
    )


class DriftView(BaseModel):
    window: WindowView
    state: DriftState | None = Field(
        description="The worst state of all groups; null if nothing was measured."
    )
    groups: list[DriftGroup] = Field(
        description="By hospital. The whole hospital comes first, then its devices."
    )


class CodeRate(BaseModel):
    """How often a code occurred."""

    model_config = _example(code="saturated", rate=RATE)
    code: str
    rate: RateView


class QualityGroup(BaseModel):
    """One hospital, or one device of it."""

    level: str = Field(
        description="`hospital` for all devices together, `device` for one device.",
        examples=["device"],
    )
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    device: str | None = Field(
        description="Make and model of the scanner; null if unknown, and for level `hospital`."
    )
    results: int = Field(description="Results in the window.", examples=[400])
    failed: RateView = Field(
        description="Share of failed jobs among all results and failed jobs."
    )
    refer: RateView = Field(
        description="Share of results that are referred to a radiologist."
    )
    warnings: list[CodeRate] = Field(
        description="Warnings among results; most frequent first."
    )
    failures: list[CodeRate] = Field(
        description="Failures among results and failed jobs; most frequent first."
    )


class QualityView(BaseModel):
    window: WindowView
    groups: list[QualityGroup] = Field(
        description="By hospital. The whole hospital comes first, then its devices."
    )
    sentences: list[str]


class AucView(BaseModel):
    """Area under the ROC curve, with DeLong's interval."""

    model_config = _example(value=0.87, low=0.81, high=0.91)
    value: float
    low: float
    high: float


class ObservedExpectedView(BaseModel):
    """Number of malignant cases divided by the sum of the predicted risks. If the ratio is above 1,
    the risks are too low for these cases.
    """

    model_config = _example(observed=31, expected=26.4, ratio=1.17, low=0.86, high=1.5)
    observed: int
    expected: float
    ratio: float
    low: float
    high: float


class CalibrationBinView(BaseModel):
    model_config = _example(risk_from=0.2, risk_to=0.3, mean_risk=0.25, malignant=RATE)
    risk_from: float
    risk_to: float
    mean_risk: float
    malignant: RateView


class CalibrationView(BaseModel):
    ece: float = Field(
        description="Expected calibration error over ten bins of equal width.",
        examples=[0.04],
    )
    observed_expected: ObservedExpectedView | None = Field(
        description="Ratio of observed to expected malignant cases; null if every predicted risk "
        "is 0."
    )
    bins: list[CalibrationBinView] = Field(
        description="Predicted risk and observed rate in bins of the risk. Empty bins are omitted."
    )


class ReferredView(BaseModel):
    """Cases with an outcome whose result is `refer`. They do not count for sensitivity or
    specificity.
    """

    model_config = _example(malignant=4, benign=9)
    malignant: int
    benign: int


class PerformanceFigures(BaseModel):
    """Performance on results whose case has an outcome."""

    results: int = Field(
        description="Results in the window, with or without an outcome.", examples=[400]
    )
    with_outcome: RateView
    outcome_known: dict[str, RateView] = Field(
        description="Share of results with an outcome, by decision. Unequal shares show that "
        "cases are verified unequally."
    )
    malignant: int = Field(
        description="Number of malignant cases among the cases with an outcome.",
        examples=[31],
    )
    models: int = Field(
        description="Number of models that produced these results. Scores of several models are "
        "pooled.",
        examples=[1],
    )
    auc: AucView | None = Field(
        description="AUC of the score; null with fewer than two cases of a class."
    )
    calibration: CalibrationView | None = Field(
        description="Calibration of the risk; null without outcomes."
    )
    sensitivity: RateView = Field(
        description="At the cut-off with which each case was decided."
    )
    specificity: RateView = Field(
        description="At the cut-off with which each case was decided."
    )
    referred: ReferredView


class PerformanceStep(BaseModel):
    begins: datetime = Field(description="Start of the week (Monday) or month, UTC.")
    figures: PerformanceFigures


class PerformanceGroup(BaseModel):
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    figures: PerformanceFigures


class PerformanceView(BaseModel):
    window: WindowView
    all: PerformanceFigures
    hospitals: list[PerformanceGroup]
    over_time: list[PerformanceStep] = Field(
        description="Oldest first; steps without results are omitted."
    )
    sentences: list[str] = Field(
        description="Caveats for these figures. Show them beside the numbers."
    )


class SetsView(BaseModel):
    """Conformal sets of the cases of one class, or of all."""

    cases: int = Field(examples=[120])
    coverage: RateView = Field(description="Sets that contain the true class.")
    refer: RateView = Field(
        description="Share of sets that contain both classes or no class. Such cases are referred."
    )
    single: int
    both: int
    neither: int
    mean_size: float | None


class CoverageStep(BaseModel):
    alpha: float = Field(description="The allowed error rate.", examples=[0.1])
    promised: float = Field(
        description="1 - alpha: the minimum coverage of each class.", examples=[0.9]
    )
    benign: SetsView
    malignant: SetsView
    all: SetsView


class CoverageGroup(BaseModel):
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    steps: list[CoverageStep]


class CoverageView(BaseModel):
    window: WindowView
    all: list[CoverageStep] = Field(
        description="One entry for each alpha; empty if no case has an outcome."
    )
    hospitals: list[CoverageGroup]
    sentences: list[str]
