"""A hospital's settings, and what they come to with the live model."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText

Count = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
"""What can be counted with at all; what may be set, and why not, says `limits`."""


class NewHospital(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "east"}]}
    )
    name: Annotated[PlainText, Field(min_length=1, max_length=100, pattern=r"\S")] = (
        Field(
            description="What it is called everywhere; it cannot be changed later. It stands in the audit trail's export."
        )
    )


class HospitalChange(BaseModel):
    """What to set; what is left out stays as it is, and null goes back to the default."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prevalence": 0.18, "target_sensitivity": 0.95, "refer_alpha": 0.1}
            ]
        },
    )
    prevalence: float | None = Field(
        None,
        description="Share of malignant nodules expected here, 0.01 to 0.9; null: the installation's.",
    )
    fna_rule: str | None = Field(
        None, description="FNA rule by its name; null: the installation's."
    )
    target_sensitivity: float | None = Field(
        None,
        description="Sensitivity that the cut-off is chosen for, 0.80 to 0.99 by default; null: Youden's cut-off.",
    )
    refer_alpha: float | None = Field(
        None,
        description="Refer cases that cannot be told at this error level, 0.01 to 0.3; null: off.",
    )
    retention_days: int | None = Field(
        None,
        description="Days after which a case is erased for ever, 1 to 36500; null: the installation's.",
    )


class OperatorChange(HospitalChange):
    """What an operator may set besides: how much a hospital may send, and its share of the workers."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"rate_per_minute": 600, "inflight_quota": 2000, "weight": 2}]
        },
    )
    rate_per_minute: Count | None = Field(
        None, description="Cases it may send in a minute; null: the installation's."
    )
    inflight_quota: Count | None = Field(
        None,
        description="Cases of it that may wait or be read at a time; null: the installation's.",
    )
    weight: float | None = Field(
        None,
        description="Its share of the workers beside others with cases waiting, 0.1 to 10; null: 1.",
    )


class Rate(BaseModel):
    """A rate with Wilson's 95 % interval and the counts behind it; the value is null where there was no case."""

    value: float | None
    low: float
    high: float
    count: int
    of: int


class CutoffView(BaseModel):
    """The cut-off in use. Rates are out of fold on the model's training images."""

    rule: str = Field(examples=["youden", "sensitivity>=0.95"])
    cutoff: float = Field(description="A score at or above it is called malignant.")
    sensitivity: Rate | None
    specificity: Rate | None
    ppv: float | None = Field(
        description="Expected share of malignant nodules among those called malignant here."
    )
    npv: float | None = Field(
        description="Expected share of benign nodules among those called benign here."
    )


class ReferralView(BaseModel):
    """What referring uncertain cases comes to, out of fold at the nearest error level that was tried."""

    alpha: float
    benign_coverage: Rate = Field(
        description="Benign nodules whose set holds benign; at least 1 - alpha is promised."
    )
    malignant_coverage: Rate
    refer_rate: float | None = Field(
        description="Expected share of cases referred here as uncertain."
    )


class LiveView(BaseModel):
    """What the settings come to with the model that answers now."""

    model: str
    digest: str
    cutoff: CutoffView
    referral: ReferralView | None


class HospitalView(BaseModel):
    """A null setting takes the default, which stands in `in_use`."""

    name: str
    prevalence: float | None
    fna_rule: str | None
    target_sensitivity: float | None
    refer_alpha: float | None
    rate_per_minute: int | None = Field(description="Cases it may send in a minute.")
    inflight_quota: int | None = Field(
        description="Cases of it that may wait or be read at a time."
    )
    weight: float | None = Field(
        description="Its share of the workers beside others with cases waiting."
    )
    retention_days: int | None = Field(description="Days after which a case is erased.")
    due: int = Field(description="Cases older than that, which the next sweep erases.")
    in_use: dict[str, float | str | None] = Field(
        description="Prevalence, FNA rule, limits and retention with the defaults filled in; null keeps cases for ever."
    )
    live: LiveView | None = Field(
        description="Null while no model is live, or if the live one does not know itself."
    )
    tag: str = Field(
        description="Of the settings: send it in quotation marks as If-Match to change just these."
    )
    notes: list[str] = Field(
        description="What an administrator should know of these settings."
    )
