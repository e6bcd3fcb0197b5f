"""Reader studies: their cases, readers, showings, readings, and breaches of blinding."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table, id_column, timestamp_column

STUDY_CASE_COLUMNS = ("reader_study_cases.study_id", "reader_study_cases.case_id")
STUDY_READER_COLUMNS = (
    "reader_study_readers.study_id",
    "reader_study_readers.person_id",
)


class ReaderStudyRow(Table):
    __tablename__ = "reader_studies"
    id: Mapped[UUID] = id_column()
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), index=True)
    name: Mapped[str]
    question: Mapped[str]
    design: Mapped[str]
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(server_default="draft")
    made_at: Mapped[datetime] = timestamp_column()
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('draft','open','closed')", name="reader_studies_state"
        ),
    )


class ReaderStudyCaseRow(Table):
    """A case of a study. Its outcome is stored with the case, and erased with it."""

    __tablename__ = "reader_study_cases"
    study_id: Mapped[UUID] = mapped_column(
        ForeignKey("reader_studies.id"), primary_key=True
    )
    case_id: Mapped[UUID] = mapped_column(
        ForeignKey("cases.id"), primary_key=True, index=True
    )
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    """The job with SERA's result in this study."""


class ReaderStudyReaderRow(Table):
    """A reader. `number` is the pseudonym in analyses and exports."""

    __tablename__ = "reader_study_readers"
    study_id: Mapped[UUID] = mapped_column(
        ForeignKey("reader_studies.id"), primary_key=True
    )
    person_id: Mapped[UUID] = mapped_column(
        ForeignKey("people.id"), primary_key=True, index=True
    )
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    number: Mapped[int]

    __table_args__ = (
        UniqueConstraint("study_id", "number", name="reader_study_number"),
    )


class ShowingRow(Table):
    """A reader was shown a case. Each opening of the page is a showing."""

    __tablename__ = "reader_showings"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    study_id: Mapped[UUID]
    case_id: Mapped[UUID]
    person_id: Mapped[UUID]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    phase: Mapped[str]
    at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        ForeignKeyConstraint(
            ["study_id", "case_id"], STUDY_CASE_COLUMNS, name="reader_showings_case"
        ),
        ForeignKeyConstraint(
            ["study_id", "person_id"],
            STUDY_READER_COLUMNS,
            name="reader_showings_reader",
        ),
        Index("reader_showings_of", "study_id", "person_id", "case_id", "phase"),
        Index("reader_showings_case", "case_id"),
    )


class ReadingRow(Table):
    """A reader's reading of a case in a phase. It is never changed."""

    __tablename__ = "reader_readings"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    study_id: Mapped[UUID]
    case_id: Mapped[UUID]
    person_id: Mapped[UUID]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    phase: Mapped[str]
    probability: Mapped[int]
    malignant: Mapped[bool]
    fna: Mapped[bool | None]
    shown_at: Mapped[datetime]
    sent_at: Mapped[datetime]
    showings: Mapped[int]
    """The number of showings in this phase. With more than one, the reading was interrupted."""
    seen_ms: Mapped[int | None] = mapped_column(BigInteger)
    """Time with the page in sight, by the browser's clock."""
    hidden_ms: Mapped[int | None] = mapped_column(BigInteger)
    """Time with the page hidden or paused, by the browser's clock."""

    __table_args__ = (
        ForeignKeyConstraint(
            ["study_id", "case_id"], STUDY_CASE_COLUMNS, name="reader_readings_case"
        ),
        ForeignKeyConstraint(
            ["study_id", "person_id"],
            STUDY_READER_COLUMNS,
            name="reader_readings_reader",
        ),
        UniqueConstraint(
            "study_id", "person_id", "case_id", "phase", name="reader_readings_once"
        ),
        CheckConstraint(
            "probability BETWEEN 0 AND 100", name="reader_readings_probability"
        ),
        CheckConstraint("phase IN ('blind','aided')", name="reader_readings_phase"),
        Index("reader_readings_case", "case_id"),
    )


class BlindingBreachRow(Table):
    """A reader of an open study saw a case elsewhere before reading it blind."""

    __tablename__ = "reader_breaches"
    study_id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    at: Mapped[datetime] = timestamp_column()

    __table_args__ = (
        ForeignKeyConstraint(
            ["study_id", "case_id"], STUDY_CASE_COLUMNS, name="reader_breaches_case"
        ),
        ForeignKeyConstraint(
            ["study_id", "person_id"],
            STUDY_READER_COLUMNS,
            name="reader_breaches_reader",
        ),
    )
