"""API schemas of an analysis. Fractions are between 0 and 1, times are in seconds, and readers are
identified by their numbers.
"""

from pydantic import BaseModel, Field

from shared.domain.reader_studies import Phase
from shared.statistics import Measure


class Area(BaseModel):
    """An AUC with DeLong's 95 % interval on the logit scale."""

    value: float
    low: float
    high: float


class AreaChange(Area):
    """Aided minus blind, by DeLong's paired test."""

    p_value: float


class Rate(BaseModel):
    """A rate with Wilson's 95 % interval and its counts."""

    value: float | None = Field(description="Null without cases of the class.")
    low: float
    high: float
    count: int
    of: int


class Curve(BaseModel):
    false_positive_rate: list[float]
    sensitivity: list[float]


class Condition(BaseModel):
    """Performance of one reader, or of SERA, under one condition."""

    auc: Area | None = Field(
        description="Null with fewer than two cases of either class."
    )
    sensitivity: Rate
    specificity: Rate
    roc: Curve | None


class Times(BaseModel):
    """Reading times by the server's clock, without the time that the page was hidden or paused."""

    median: float | None
    first_quartile: float | None
    third_quartile: float | None
    readings: int = Field(description="Number of readings in these figures.")
    interrupted: int = Field(
        description="Number of excluded readings, because the page was opened again during the "
        "reading."
    )


class ReaderFigures(BaseModel):
    number: int
    cases: int = Field(
        description="Number of cases that the reader read both blind and aided. "
        "Every comparison uses these cases."
    )
    blind: Condition
    aided: Condition
    auc_change: AreaChange | None
    mcnemar: dict[Measure, float | None] = Field(
        description="Two-sided p-value of the decisions, blind against aided."
    )
    seconds: dict[Phase, Times]
    breaches: int = Field(
        description="Number of cases that the reader saw outside the study while the study was "
        "open, before the blind reading."
    )
    seen_before: int = Field(
        description="Number of cases that the reader had seen in SERA before the study was opened."
    )


class SeraFigures(BaseModel):
    """Performance of SERA without a reader on all cases, by SERA's own decisions."""

    figures: Condition
    referred: int = Field(
        description="Number of cases that SERA referred. They count as called malignant."
    )
    models: list[str]


class Estimate(BaseModel):
    """A kappa with its 95 % interval."""

    value: float | None = Field(
        description="Null if every call is the same, because kappa is then undefined."
    )
    low: float
    high: float
    words: str = Field(description="Label of the agreement by Landis and Koch.")
    cases: int


class PairKappa(BaseModel):
    first: int
    second: int
    cohen: Estimate | None


class Agreement(BaseModel):
    fleiss: Estimate | None = Field(
        description="Fleiss' kappa of all readers on the cases that all readers have read both "
        "blind and aided."
    )
    pairs: list[PairKappa]


class Summary(BaseModel):
    """All readers together, by the method of Obuchowski and Rockette, in which both readers and
    cases are random samples.
    """

    blind: float
    aided: float
    difference: float
    low: float
    high: float
    f: float | None = Field(description="F statistic; null if it is infinite.")
    degrees_of_freedom: float | None = Field(
        description="Degrees of freedom of the denominator; null if infinite."
    )
    p_value: float
    readers: int
    cases: int


class Analysis(BaseModel):
    cases: int
    malignant: int
    malignant_share: float | None
    erased: int
    readers: list[ReaderFigures]
    sera: SeraFigures
    agreement: dict[Phase, Agreement]
    summary: Summary | None = Field(
        description="Null with one reader, or with fewer than two cases of either class."
    )
