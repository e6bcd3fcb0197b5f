"""Hospitals, their keys, the installation's secrets, and the audit trail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column

IS_READ_EVENT = (
    "event IN ('case.read', 'image.read', 'result.read', 'explanation.read')"
)

IS_EVIDENCE_EVENT = "event IN ('job.done', 'case.erased')"


class HospitalRow(Table):
    __tablename__ = "hospitals"
    id: Mapped[UUID] = id_column()
    name: Mapped[str] = mapped_column(unique=True)
    prevalence: Mapped[float | None]
    fna_rule: Mapped[str | None]
    target_sensitivity: Mapped[float | None]
    refer_alpha: Mapped[float | None]
    rate_per_minute: Mapped[int | None]
    inflight_quota: Mapped[int | None]
    weight: Mapped[float | None]
    retention_days: Mapped[int | None]
    blank_text: Mapped[str | None]
    reader_first: Mapped[str | None]
    created_at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        CheckConstraint(
            "blank_text IN ('off', 'warn', 'blank')", name="hospitals_blank_text"
        ),
        CheckConstraint("reader_first IN ('on', 'off')", name="hospitals_reader_first"),
    )


class RateLimitRow(Table):
    """A hospital's token bucket: the tokens that it had at a time."""

    __tablename__ = "allowances"
    hospital_id: Mapped[UUID] = mapped_column(
        ForeignKey("hospitals.id"), primary_key=True
    )
    tokens: Mapped[float]
    filled_at: Mapped[datetime] = timestamp_column()


class ApiKeyRow(Table):
    """An API key, with only the hash of its secret."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    role: Mapped[str]
    label: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = timestamp_column()
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """The time of the last use, exact to a minute."""
    replaced_by: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))


class SecretRow(Table):
    """A random secret of this installation, created at first use. It never leaves the ledger."""

    __tablename__ = "secrets"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes]
    created_at: Mapped[datetime] = timestamp_column()


class AuditRow(Table):
    """An audit event. A trigger sets number, time and hash. Rows are never changed or deleted."""

    __tablename__ = "audit_events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = timestamp_column()
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    actor: Mapped[str]
    origin: Mapped[str | None]
    event: Mapped[str]
    case_id: Mapped[UUID | None]
    job_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(
        JSON, server_default=text("'{}'::json")
    )
    chain: Mapped[str]
    number: Mapped[int] = mapped_column(BigInteger)
    previous: Mapped[str]
    hash: Mapped[str]

    __table_args__ = (
        Index("audit_of_hospital", "hospital_id", "id"),
        Index("audit_reads", "case_id", "actor", postgresql_where=text(IS_READ_EVENT)),
        Index("audit_evidence", "case_id", postgresql_where=text(IS_EVIDENCE_EVENT)),
        UniqueConstraint("chain", "number", name="audit_place"),
    )


class SealRow(Table):
    """The signed head of a chain."""

    __tablename__ = "audit_checkpoints"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    chain: Mapped[str]
    seal: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]
    at: Mapped[datetime]
    previous: Mapped[str]
    key: Mapped[str]
    signature: Mapped[str]

    __table_args__ = (UniqueConstraint("chain", "seal", name="checkpoint_place"),)


class SeriesSealRow(Table):
    """A seal of all chains, in one numbered series."""

    __tablename__ = "audit_seals"
    number: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False
    )
    at: Mapped[datetime]
    previous: Mapped[str]
    key: Mapped[str]
    signature: Mapped[str]


class HeadRow(Table):
    """The head of a chain when the series' seal was made; only if it moved since the one before."""

    __tablename__ = "audit_heads"
    chain: Mapped[str] = mapped_column(primary_key=True)
    series: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("audit_seals.number"), primary_key=True
    )
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]

    __table_args__ = (Index("audit_heads_of_seal", "series"),)
