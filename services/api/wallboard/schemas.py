"""API schemas of the wallboard. Times are by the database's clock; latencies are from submission to
result.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonValue

from services.api.monitoring.schemas import (
    DIGEST,
    HOSPITAL,
    RATE,
    MonitoredModelView,
    RateView,
)
from shared.domain.jobs import Priority


def _example(**fields: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class WallboardWindow(StrEnum):
    """Length of the window up to now."""

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
        description="Median seconds from submission to result; null without results."
    )
    p95_s: float | None


class LaneView(BaseModel):
    model_config = _example(lane="urgent", waiting=3, oldest_s=2.4)
    lane: Priority
    waiting: int
    oldest_s: float | None = Field(
        description="Seconds since the longest waiting job was queued; null if none waits."
    )


class FailureView(BaseModel):
    model_config = _example(reason="image-unreadable", jobs=2)
    reason: str = Field(description="The code of the error.")
    jobs: int = Field(
        description="Number of jobs that failed with this code in the window and were not run "
        "again."
    )


class FlowView(BaseModel):
    """Throughput and queue of one hospital or of all."""

    results: int = Field(description="Results in the window.", examples=[612])
    per_minute: float = Field(examples=[40.8])
    p50_s: float | None = Field(
        description="Median seconds from submission to result; null without results."
    )
    p95_s: float | None = Field(
        description="95th percentile of the seconds from submission to result.",
        examples=[4.2],
    )
    waiting: list[LaneView] = Field(
        description="Jobs in the queue now, the urgent lane first."
    )
    running: int = Field(description="Jobs that workers process now.", examples=[8])
    failures: list[FailureView] = Field(
        description="Failures in the window, most frequent first."
    )
    dead_letters: int = Field(
        description="Number of failed jobs, of any time, that nobody has run again.",
        examples=[3],
    )
    refer: RateView = Field(
        description="Share of the window's results that are referred to a radiologist.",
        examples=[RATE],
    )


class WallboardHospital(BaseModel):
    hospital_id: UUID = Field(examples=[HOSPITAL])
    hospital: str = Field(examples=["north"])
    flow: FlowView


class WallboardWorker(BaseModel):
    model_config = _example(name="w-1", alive=True, seen_s=1.2, model=DIGEST)
    name: str | None = Field(
        description="Null for callers of a hospital, who do not see names of machines."
    )
    alive: bool = Field(description="Whether it sent a sign of life in the last 15 s.")
    seen_s: float = Field(description="Seconds since its last sign of life.")
    model: str | None = Field(
        description="Digest of the model that it serves; null if it serves none."
    )


class WallboardModel(MonitoredModelView):
    model_config = _example(
        digest=DIGEST, name="starter", version=1, cautions=["synthetic-model"]
    )
    cautions: list[str] = Field(
        default=[],
        description="Codes of the warnings about the model that each of its results has.",
    )


class WallboardView(BaseModel):
    schema_version: Literal[1] = 1
    as_of: datetime = Field(description="Time of the data, by the database's clock.")
    window: WallboardWindow
    since: datetime
    bucket_s: float = Field(
        description="Length of each step of `series` in seconds.", examples=[60.0]
    )
    house: FlowView = Field(description="All hospitals together, without names.")
    series: list[BucketView] = Field(
        description="All hospitals together, oldest first, including steps without results."
    )
    hospitals: list[WallboardHospital] = Field(
        description="By name: all hospitals for operators and auditors, else the caller's own."
    )
    workers: list[WallboardWorker] = Field(
        description="Workers that sent a sign of life in the last 10 minutes."
    )
    model: WallboardModel | None = Field(
        description="The live model; null before the first promotion."
    )
    degraded: dict[str, str] = Field(
        description="As in /readyz: impaired services, each with the next step.",
        examples=[{}],
    )
