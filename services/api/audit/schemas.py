"""API schemas of audit events and of their verification."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.domain.audit.verification import Fault


class EventView(BaseModel):
    """An event of the audit trail: who did what, when and from where."""

    id: int
    at: datetime
    actor: str = Field(description="The key, person or service that acted.")
    origin: str | None = Field(
        description="Client address of the request; null if no request caused the event."
    )
    event: str
    hospital_id: UUID | None
    case_id: UUID | None
    job_id: UUID | None
    details: dict[str, Any]
    number: int = Field(
        description="Number in the chain of its hospital, or of the system; from 1 without gaps."
    )
    hash: str = Field(description="SHA-256 over this event and the previous hash.")


class FaultView(BaseModel):
    """A fault, with the first and last event that it concerns; 0 if it concerns a seal alone."""

    fault: Fault
    chain: str
    first: int
    last: int
    sentence: str


class ChainSectionView(BaseModel):
    """The section of one chain that this request verified."""

    chain: str = Field(description="A hospital's id, or `house` for the system.")
    hospital: str | None = Field(
        description="Name of the hospital; null for the system."
    )
    events: int = Field(description="Number of verified events.")
    number: int = Field(description="Number of the last verified event.")
    sealed: int = Field(
        description="Number of the last event that a seal covers. Later events are only consistent "
        "with the chain."
    )
    sealed_at: datetime | None = Field(description="When the last seal was made.")
    ended: bool = Field(description="Whether the section reaches the end of the chain.")


class VerificationView(BaseModel):
    whole: bool = Field(description="Whether this part has no fault.")
    wrong: list[FaultView] = Field(description="Faults, at most 50.")
    found: int = Field(description="Number of faults.")
    chains: list[ChainSectionView]
    keys: list[str] = Field(
        description="Public keys of the seals; compare with `./sera audit key`."
    )
    trusted: bool = Field(
        description="Whether this machine has the sealing key. Seals by any other key then count "
        "as faults."
    )
    next: str | None = Field(
        description="Send it as `cursor` to continue; null at the end."
    )
