"""What dashboards are answered with. Rates are fractions; intervals are 95 %."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.ledger.monitoring.observations import Quantity
from shared.statistics import DriftState

HOSPITAL = "5f0a1c9e-2f64-4d0b-9a51-0d6f3c6b7e21"
DIGEST = "9f2c" * 16
RATE = {"value": 0.105, "low": 0.079, "high": 0.139, "count": 42, "of": 400}


def _example(**told: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [told]})


class RateView(BaseModel):
    """A share of something, with Wilson's interval."""

    model_config = _example(**RATE)
    value: float | None = Field(
        description="count / of; null where there is nothing to count."
    )
    low: float
    high: float
    count: int
    of: int


class WindowView(BaseModel):
    model_config = _example(since="2026-10-26T00:00:00Z", until=None)
    since: datetime = Field(description="Results made from here on.")
    until: datetime | None = Field(description="And before this; null up to now.")


class ModelView(BaseModel):
    model_config = _example(digest=DIGEST, name="light", version=2)
    digest: str
    name: str | None = Field(description="null where the model is no longer stored.")
    version: int | None


class QuantityDrift(BaseModel):
    """One quantity of the results against the training images' own."""

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
    n: int = Field(description="Results that carry it.")
    psi: float = Field(
        description="Population stability index over the training images' deciles; 0 is no change."
    )
    watch_from: float = Field(
        description="0.1, or what 5 % of looks exceed by chance with so few cases, if higher."
    )
    alarm_from: float = Field(
        description="0.25, or what 1 % of looks exceed by chance with so few cases, if higher."
    )
    ks_distance: float = Field(
        description="Largest distance between the two distribution functions."
    )
    ks_p: float = Field(
        description="Kolmogorov-Smirnov's p-value; of an embedding the least, corrected for its number."
    )
    component: int | None = Field(
        description="Of an embedding the principal direction, from 1, with the largest PSI."
    )
    state: DriftState


class DriftGroup(BaseModel):
    """One hospital, or one device of it, under one model."""

    level: str = Field(
        description="`hospital`: all its devices together; `device`: one of them.",
        examples=["device"],
    )
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    device: str | None = Field(
        description="Make and model; null where the files do not tell, and in rows of level `hospital`.",
        examples=["Philips Medical Systems EPIQ 7G"],
    )
    model: ModelView
    n: int = Field(description="Results in the window.", examples=[412])
    state: DriftState | None = Field(
        description="The worst of the quantities: ok, watch, alarm, too-few. null: the model tells no reference."
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
        description="The worst of the hospitals; null where nothing was measured."
    )
    groups: list[DriftGroup] = Field(
        description="By hospital; first the hospital as a whole, then its devices."
    )


class CodeRate(BaseModel):
    """How often a code was told."""

    model_config = _example(code="saturated", rate=RATE)
    code: str
    rate: RateView


class QualityGroup(BaseModel):
    """One hospital, or one device of it."""

    level: str = Field(
        description="`hospital`: all its devices together; `device`: one of them.",
        examples=["device"],
    )
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    device: str | None = Field(
        description="Make and model; null where unknown, and in rows of level `hospital`."
    )
    results: int = Field(description="Results in the window.", examples=[400])
    failed: RateView = Field(description="Failed jobs among results and failed jobs.")
    refer: RateView = Field(
        description="Results that decide nothing and ask for a radiologist."
    )
    warnings: list[CodeRate] = Field(description="Among results; most frequent first.")
    failures: list[CodeRate] = Field(
        description="Among results and failed jobs; most frequent first."
    )


class QualityView(BaseModel):
    window: WindowView
    groups: list[QualityGroup] = Field(
        description="By hospital; first the hospital as a whole, then its devices."
    )
    sentences: list[str]


class AucView(BaseModel):
    """Area under the ROC curve, with DeLong's interval."""

    model_config = _example(value=0.87, low=0.81, high=0.91)
    value: float
    low: float
    high: float


class ObservedExpectedView(BaseModel):
    """Malignant cases found over the sum of the stated risks; above 1 the risks are too low for these cases."""

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
        description="null where every stated risk is 0."
    )
    bins: list[CalibrationBinView] = Field(
        description="Stated risk against observed rate; empty bins are left out."
    )


class ReferredView(BaseModel):
    """Cases with an outcome that were answered `refer`: in neither sensitivity nor specificity."""

    model_config = _example(malignant=4, benign=9)
    malignant: int
    benign: int


class PerformanceFigures(BaseModel):
    """Of results whose case has an outcome."""

    results: int = Field(
        description="Results in the window, with an outcome or without.", examples=[400]
    )
    with_outcome: RateView
    outcome_known: dict[str, RateView] = Field(
        description="Share with an outcome among results of each decision: how unequally cases are verified."
    )
    malignant: int = Field(description="Among those with an outcome.", examples=[31])
    models: int = Field(
        description="How many models gave these results; scores of several are pooled.",
        examples=[1],
    )
    auc: AucView | None = Field(
        description="Of the score; null with fewer than two cases of a class."
    )
    calibration: CalibrationView | None = Field(
        description="Of the risk; null without outcomes."
    )
    sensitivity: RateView = Field(
        description="At the cut-off that each case was decided by."
    )
    specificity: RateView = Field(
        description="At the cut-off that each case was decided by."
    )
    referred: ReferredView


class PerformanceStep(BaseModel):
    begins: datetime = Field(
        description="Beginning of the week (Monday) or month, UTC."
    )
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
        description="Oldest first; steps without results are left out."
    )
    sentences: list[str] = Field(
        description="What must be known to read these figures; show them beside the numbers."
    )


class SetsView(BaseModel):
    """Conformal sets of the cases of one class, or of all."""

    cases: int = Field(examples=[120])
    coverage: RateView = Field(description="Sets that hold the true class.")
    refer: RateView = Field(
        description="Sets of both classes or of none, which decide nothing."
    )
    single: int
    both: int
    neither: int
    mean_size: float | None


class CoverageStep(BaseModel):
    alpha: float = Field(description="The error that was allowed.", examples=[0.1])
    promised: float = Field(
        description="1 - alpha: the least coverage of each class.", examples=[0.9]
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
        description="One for each alpha; empty without outcomes."
    )
    hospitals: list[CoverageGroup]
    sentences: list[str]
