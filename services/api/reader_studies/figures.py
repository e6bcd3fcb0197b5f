"""The figures of an analysis. Fractions are of 1, times in seconds; readers go by their numbers."""

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

    value: float | None = Field(description="Null where there is no case of the class.")
    low: float
    high: float
    count: int
    of: int


class Curve(BaseModel):
    false_positive_rate: list[float]
    sensitivity: list[float]


class Condition(BaseModel):
    """One judge under one condition."""

    auc: Area | None = Field(description="Null under two cases of either class.")
    sensitivity: Rate
    specificity: Rate
    roc: Curve | None


class Times(BaseModel):
    """From shown to sent by the server's clock, less the time the page was out of sight or paused."""

    median: float | None
    first_quartile: float | None
    third_quartile: float | None
    readings: int = Field(description="That count here.")
    interrupted: int = Field(
        description="Left out, for the page was opened anew in between."
    )


class ReaderFigures(BaseModel):
    number: int
    cases: int = Field(description="Read both ways; every comparison is on these.")
    blind: Condition
    aided: Condition
    auc_change: AreaChange | None
    mcnemar: dict[Measure, float | None] = Field(
        description="Two-sided P of the decisions, blind against aided."
    )
    seconds: dict[Phase, Times]
    breaches: int = Field(
        description="Cases looked at elsewhere in the open study before they were read blind."
    )
    seen_before: int = Field(
        description="Cases that the reader had looked at in SERA before the study was opened."
    )


class SeraFigures(BaseModel):
    """SERA alone on all cases, at its own decisions."""

    figures: Condition
    referred: int = Field(
        description="Cases that SERA referred; they count as called malignant."
    )
    models: list[str]


class Estimate(BaseModel):
    """A kappa with its 95 % interval."""

    value: float | None = Field(
        description="Null where every call is the same, so that nothing is known."
    )
    low: float
    high: float
    words: str = Field(description="Landis & Koch's.")
    cases: int


class PairKappa(BaseModel):
    first: int
    second: int
    cohen: Estimate | None


class Agreement(BaseModel):
    fleiss: Estimate | None = Field(
        description="Of all readers on the cases that all have read both ways."
    )
    pairs: list[PairKappa]


class Summary(BaseModel):
    """All readers together, by Obuchowski and Rockette: readers and cases as samples of all there are."""

    blind: float
    aided: float
    difference: float
    low: float
    high: float
    f: float | None = Field(description="Null where it is infinite.")
    degrees_of_freedom: float | None = Field(
        description="Of the denominator; null where infinite."
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
        description="Null with one reader, or under two cases of either class."
    )
