"""API schemas of audit events and of their verification."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.domain.audit.verification import Fault


class EventView(BaseModel):
    """One event of the audit trail: who did what, when, and from which address."""

    id: int
    at: datetime
    actor: str = Field(description="The key, person or service that caused the event.")
    origin: str | None = Field(
        description="Address of the client that sent the request; null if no request caused the "
        "event."
    )
    event: str
    hospital_id: UUID | None
    case_id: UUID | None
    job_id: UUID | None
    details: dict[str, Any]
    number: int = Field(
        description="Position of the event in its chain. Each hospital and the system have a "
        "chain of their own, numbered from 1 without gaps."
    )
    hash: str = Field(
        description="SHA-256 over this event and the hash of the previous event in "
        "the chain."
    )


class FaultView(BaseModel):
    """A fault of one chain. `first` and `last` are the positions of the first and the last affected
    event. Both are 0 if the fault affects only a seal and no event.
    """

    fault: Fault
    chain: str
    first: int
    last: int
    sentence: str


class ChainSectionView(BaseModel):
    """The part of one chain that this request verified."""

    chain: str = Field(description="A hospital's id, or `house` for the system.")
    hospital: str | None = Field(
        description="Name of the hospital; null for the system."
    )
    events: int = Field(description="Number of verified events.")
    number: int = Field(description="Position of the last verified event in its chain.")
    sealed: int = Field(
        description="Position of the last event that a signed seal covers. Events after it have "
        "correct hashes, but no seal proves yet that they were not replaced."
    )
    sealed_at: datetime | None = Field(
        description="Time at which the latest seal was created; "
        "null if there is no seal."
    )
    ended: bool = Field(
        description="Whether the verified part includes the end of the chain."
    )


class VerificationView(BaseModel):
    whole: bool = Field(
        description="Whether the part that this request verified has no fault."
    )
    wrong: list[FaultView] = Field(description="The faults in this part, at most 50.")
    found: int = Field(
        description="Number of all faults in this part, including the faults "
        "beyond the first 50."
    )
    chains: list[ChainSectionView]
    keys: list[str] = Field(
        description="Public keys of the seals. Compare them with the output of `./sera audit key`."
    )
    trusted: bool = Field(
        description="Whether this machine has the key that signs seals. If it has, a seal by any "
        "other key counts as a fault."
    )
    next: str | None = Field(
        description="Send this value as `cursor` to continue; null at the end."
    )
