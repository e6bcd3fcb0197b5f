"""Hospitals, their keys, the installation's secrets, and the audit trail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.tables.base import Table, moment, row_id


class HospitalRow(Table):
    __tablename__ = "hospitals"
    id: Mapped[UUID] = row_id()
    name: Mapped[str] = mapped_column(unique=True)
    prevalence: Mapped[float | None]
    fna_rule: Mapped[str | None]
    target_sensitivity: Mapped[float | None]
    refer_alpha: Mapped[float | None]
    created_at: Mapped[datetime] = moment()


class KeyRow(Table):
    """An API key: only the hash of its secret is here."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    role: Mapped[str]
    label: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = moment()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To a minute."""
    replaced_by: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))


class SecretRow(Table):
    """A secret of this installation, drawn when it is first needed; it never leaves the ledger."""

    __tablename__ = "secrets"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]
    created_at: Mapped[datetime] = moment()


class AuditRow(Table):
    __tablename__ = "audit_events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = moment()
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    actor: Mapped[str]
    event: Mapped[str]
    case_id: Mapped[UUID | None]
    job_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (Index("audit_of_hospital", "hospital_id", "id"),)
