"""What the wall shows. Times are the database's; seconds are from submit to result."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.monitoring.schemas import DIGEST, HOSPITAL, RATE, MonitoredModelView, RateView
from shared.domain.jobs import Priority


def _example(**told: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [told]})


class WallboardWindow(StrEnum):
    """How far back the wall looks."""

    QUARTER = "15m"
    HOUR = "1h"
    DAY = "24h"


class BucketView(BaseModel):
    model_config = _example(
        begins="2026-11-25T12:30:00Z", results=41, per_minute=41.0, p50_s=1.8, p95_s=4.2
    )
    begins: datetime
    results: int
    per_minute: float
    p50_s: float | None = Field(
        description="Median seconds from submit to result; null without results."
    )
    p95_s: float | None


class LaneView(BaseModel):
    model_config = _example(lane="urgent", waiting=3, oldest_s=2.4)
    lane: Priority
    waiting: int
    oldest_s: float | None = Field(
        description="Seconds that the longest waiting job has waited; null where none does."
    )


class FailureView(BaseModel):
    model_config = _example(reason="image-unreadable", jobs=2)
    reason: str = Field(description="The code of the error.")
    jobs: int = Field(
        description="Jobs that failed for it in the window and were not run again."
    )


class FlowView(BaseModel):
    """What comes and goes, of one hospital or of all."""

    results: int = Field(description="In the window.", examples=[612])
    per_minute: float = Field(examples=[40.8])
    p50_s: float | None = Field(
        description="Median seconds from submit to result; null without results."
    )
    p95_s: float | None = Field(
        description="95 of 100 results took no longer.", examples=[4.2]
    )
    waiting: list[LaneView] = Field(
        description="Jobs in the queue now, urgent ones first."
    )
    running: int = Field(
        description="Jobs that workers have in hand now.", examples=[8]
    )
    failures: list[FailureView] = Field(
        description="In the window, most frequent first."
    )
    dead_letters: int = Field(
        description="Failed jobs that nobody has run again, of any time.", examples=[3]
    )
    refer: RateView = Field(
        description="Results of the window that ask for a radiologist.", examples=[RATE]
    )


class WallboardHospital(BaseModel):
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    flow: FlowView


class WallboardWorker(BaseModel):
    model_config = _example(name="w-1", alive=True, seen_s=1.2, model=DIGEST)
    name: str | None = Field(
        description="null for a hospital, whom the house's machines do not concern."
    )
    alive: bool = Field(description="Whether it gave a sign of life in the last 15 s.")
    seen_s: float = Field(description="Seconds since its last sign of life.")
    model: str | None = Field(
        description="Digest of the model that it serves; null where it serves none."
    )


class WallboardView(BaseModel):
    schema_version: Literal[1] = 1
    as_of: datetime = Field(
        description="The moment of the reading, by the database's clock."
    )
    window: WallboardWindow
    since: datetime
    bucket_s: float = Field(
        description="Seconds of each step of `series`.", examples=[60.0]
    )
    house: FlowView = Field(description="All hospitals together, without names.")
    series: list[BucketView] = Field(
        description="All hospitals together, oldest first, steps without results too."
    )
    hospitals: list[WallboardHospital] = Field(
        description="By name: all for operators and auditors, else one's own."
    )
    workers: list[WallboardWorker] = Field(
        description="Those that gave a sign of life in the last 10 minutes."
    )
    model: MonitoredModelView | None = Field(
        description="The live model; null before the first promotion."
    )
    degraded: dict[str, str] = Field(
        description="As in /readyz: what is impaired, and the next step.", examples=[{}]
    )
