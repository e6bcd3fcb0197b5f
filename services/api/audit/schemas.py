"""Events of the audit trail, and what proving it came to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.domain.audit.verification import Fault


class EventView(BaseModel):
    """Who did what, when, from where."""

    id: int
    at: datetime
    actor: str = Field(description="The key, or the service, that did it.")
    origin: str | None = Field(
        description="Address the request came from; null where no request did."
    )
    event: str
    hospital_id: UUID | None
    case_id: UUID | None
    job_id: UUID | None
    details: dict[str, Any]
    number: int = Field(
        description="Place in the chain of its hospital, or in the house's; without gaps from 1."
    )
    hash: str = Field(description="SHA-256 over this event and the hash before it.")


class FaultView(BaseModel):
    """What is wrong, with the first and last event it is about; 0 where it is about a seal alone."""

    fault: Fault
    chain: str
    first: int
    last: int
    sentence: str


class StretchView(BaseModel):
    """How far one chain was read this time."""

    chain: str = Field(description="A hospital's id, or `house`.")
    hospital: str | None = Field(description="By name; null for the house.")
    events: int = Field(description="Read this time.")
    number: int = Field(description="Number of the last event read.")
    sealed: int = Field(
        description="Up to here a seal vouches; what came later only fits together."
    )
    sealed_at: datetime | None = Field(description="When the last seal was made.")
    ended: bool = Field(description="Whether this was the chain's end.")


class ProofView(BaseModel):
    whole: bool = Field(description="Nothing was found wrong in this part.")
    wrong: list[FaultView] = Field(description="At most 50 of what was found.")
    found: int = Field(description="How many were found.")
    chains: list[StretchView]
    keys: list[str] = Field(
        description="Public keys of the seals; compare with `./sera audit key`."
    )
    trusted: bool = Field(
        description="This machine holds the sealing key: seals of any other were found wrong."
    )
    next: str | None = Field(
        description="Send it as `cursor` to go on; null when all was read."
    )
