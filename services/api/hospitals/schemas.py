"""API schemas of hospitals' settings and of their effect with the live model."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.text import PlainText

Count = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
"""Values that the database can store. `validation` has the limits of each setting."""


BlankText = Literal["off", "warn", "blank"]
"""One of `TextPolicy`."""
ReaderFirstSetting = Literal["on", "off"]
"""One of `ReaderFirst`."""


class NewHospital(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "east"}]}
    )
    name: Annotated[PlainText, Field(min_length=1, max_length=100, pattern=r"\S")] = (
        Field(
            description="Name of the hospital, also in exports of the audit trail. It cannot be "
            "changed later."
        )
    )


class HospitalChange(BaseModel):
    """Settings to change. An omitted setting stays as it is; null restores the default."""

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
        description="Expected share of malignant nodules, 0.01 to 0.9. Null means the "
        "installation's value.",
    )
    fna_rule: str | None = Field(
        None, description="Name of the FNA rule. Null means the installation's rule."
    )
    target_sensitivity: float | None = Field(
        None,
        description="Sensitivity for which the cut-off is chosen, 0.80 to 0.99 by default. Null "
        "means Youden's cut-off.",
    )
    refer_alpha: float | None = Field(
        None,
        description="Error level at which uncertain cases are referred, 0.01 to 0.3. Null means "
        "that no case is referred.",
    )
    retention_days: int | None = Field(
        None,
        description="Days after which a case is erased permanently, 1 to 36500. Null means the "
        "installation's value.",
    )
    blank_text: BlankText | None = Field(
        None,
        description="What is done about text that is burnt into an image. `off`: nothing. `warn`: "
        "the result has the warning `burnt-in-text`. `blank`: lines of text beside the tissue are "
        "also painted over before the image is stored (`text-blanked`). Null means `warn`.",
    )
    reader_first: ReaderFirstSetting | None = Field(
        None,
        description="`on`: people enter their own suspicion level for a case before SERA's answer "
        "is shown to them. Callers with API keys get results as before. Null means `off`.",
    )


class OperatorChange(HospitalChange):
    """Settings that only an operator may change: limits on submissions, and the share of the
    workers.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"rate_per_minute": 600, "inflight_quota": 2000, "weight": 2}]
        },
    )
    rate_per_minute: Count | None = Field(
        None,
        description="Maximum number of cases per minute. Null means the installation's value.",
    )
    inflight_quota: Count | None = Field(
        None,
        description="Maximum number of cases that wait or run at a time. Null means the "
        "installation's value.",
    )
    weight: float | None = Field(
        None,
        description="Share of the workers relative to other hospitals with waiting cases, 0.1 to "
        "10. Null means 1.",
    )


class Rate(BaseModel):
    """A rate with Wilson's 95 % interval and its counts; the value is null without cases."""

    value: float | None
    low: float
    high: float
    count: int
    of: int


class CutoffView(BaseModel):
    """The cut-off that is used. Rates are out-of-fold rates on the model's training images."""

    rule: str = Field(examples=["youden", "sensitivity>=0.95"])
    cutoff: float = Field(
        description="A nodule with this score or a higher score is called malignant."
    )
    sensitivity: Rate | None
    specificity: Rate | None
    ppv: float | None = Field(
        description="Positive predictive value: expected share of malignant nodules among the "
        "nodules called malignant."
    )
    npv: float | None = Field(
        description="Negative predictive value: expected share of benign nodules among the "
        "nodules called benign."
    )


class ReferralView(BaseModel):
    """Expected effect of referring uncertain cases: out-of-fold rates at the nearest evaluated
    error level.
    """

    alpha: float
    benign_coverage: Rate = Field(
        description="Share of benign nodules whose conformal set contains `benign`. The promised "
        "minimum is 1 - alpha."
    )
    malignant_coverage: Rate
    refer_rate: float | None = Field(
        description="Expected share of cases that are referred as uncertain."
    )


class LiveView(BaseModel):
    """Effect of the settings with the live model."""

    model: str
    digest: str
    cutoff: CutoffView
    referral: ReferralView | None


class HospitalView(BaseModel):
    """Settings of a hospital. If a setting is null, the default in `in_use` applies."""

    name: str
    prevalence: float | None
    fna_rule: str | None
    target_sensitivity: float | None
    refer_alpha: float | None
    rate_per_minute: int | None = Field(
        description="Maximum number of cases per minute."
    )
    inflight_quota: int | None = Field(
        description="Maximum number of cases that wait or run at a time."
    )
    weight: float | None = Field(
        description="Share of the workers relative to other hospitals with waiting cases."
    )
    retention_days: int | None = Field(description="Days after which a case is erased.")
    blank_text: BlankText | None = Field(
        description="What is done about text that is burnt into an image."
    )
    reader_first: ReaderFirstSetting | None = Field(
        description="Whether people enter their own suspicion level before SERA's answer is shown."
    )
    due: int = Field(
        description="Number of cases that are older than `retention_days`. The next sweep erases "
        "them."
    )
    in_use: dict[str, float | str | None] = Field(
        description="Prevalence, FNA rule, limits, retention, `blank_text` and `reader_first` with the "
        "defaults filled in. If the retention is null, cases are kept permanently."
    )
    live: LiveView | None = Field(
        description="Null if no model is live, or if the live model has no reference."
    )
    tag: str = Field(
        description="Version of the settings. Send it in quotation marks as If-Match to change "
        "only this version."
    )
    notes: list[str] = Field(
        description="Caveats that an administrator should know about these settings."
    )
