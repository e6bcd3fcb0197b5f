"""Stores a person's own suspicion level for a case, before SERA's answer is shown to them."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.cases.assessment import DescriptorsView
from shared.errors import Forbidden, InputError
from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    RULES,
    descriptors_to_json,
    parse_descriptors,
)
from shared.guidelines.guideline import Guideline
from shared.ledger import HospitalSession
from shared.ledger.cases.reader_levels import NewReaderLevel, ReaderLevel
from shared.ledger.hospitals.repository import Caller
from shared.settings import Settings


class OwnLevelNeedsPerson(Forbidden):
    code = "own-level-needs-person"
    text = "A suspicion level is a person's own. Sign in as that person; a key cannot enter it."


class ReaderLevelUnknown(InputError):
    code = "reader-level-unknown"
    text = "{guideline} has no level {level!r}. Its levels: {known}."


class ReaderLevelUndetermined(InputError):
    code = "reader-level-undetermined"
    text = (
        "{guideline} has no level for this description. Enter your level itself: one of "
        "{known}."
    )


class NewOwnLevel(BaseModel):
    """The caller's own level, or a description from which it follows."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"level": "TR4"}, {"descriptors": dict(DESCRIPTORS_EXAMPLE)}]
        },
    )
    level: str | None = Field(
        None,
        max_length=100,
        description="A suspicion level of the guideline of your hospital's FNA rule.",
    )
    descriptors: dict[str, Any] | None = Field(
        None,
        description="The description of the nodule in the terms of the ACR lexicon, as at a "
        "submission. The guideline's level for it is stored.",
    )

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.level is None) == (self.descriptors is None):
            raise ValueError("send either level or descriptors")
        return self


class ReaderLevelView(BaseModel):
    """The suspicion level that a person entered before SERA's answer was shown to them."""

    person_id: UUID
    name: str = Field(description="Name of the person.")
    guideline: str = Field(examples=["ACR-2017"])
    level: str = Field(examples=["TR4"])
    descriptors: DescriptorsView | None = Field(
        description="The description from which the level follows; null if the level itself was "
        "entered."
    )
    at: datetime


def reader_level_view(stored: ReaderLevel) -> ReaderLevelView:
    return ReaderLevelView(
        person_id=stored.person,
        name=stored.name,
        guideline=stored.guideline,
        level=stored.level,
        descriptors=stored.descriptors,
        at=stored.at,
    )


def shown_levels(
    session: HospitalSession, caller: Caller, case_id: UUID, *, withheld: bool
) -> list[ReaderLevelView]:
    """Return the levels of a case that the caller may see. Those of others are withheld like
    SERA's answer.
    """
    return [
        reader_level_view(level)
        for level in session.reader_levels.of_case(case_id)
        if not withheld or level.person == caller.person
    ]


def own_guideline(session: HospitalSession, settings: Settings) -> Guideline:
    """Return the guideline of the hospital's FNA rule."""
    rule = session.reader_levels.fna_rule() or settings.fna_rule
    return RULES[rule].guideline


def store_own_level(
    session: HospitalSession,
    caller: Caller,
    settings: Settings,
    *,
    case_id: UUID,
    new: NewOwnLevel,
) -> ReaderLevelView:
    """Store the caller's own level for a case, once.

    Raises OwnLevelNeedsPerson, ReaderLevelUnknown, ReaderLevelUndetermined, DescriptorsUnreadable,
    DescriptorUnusable, NotFound, CaseErased, OwnLevelStored, AnswerSeen.
    """
    if caller.person is None:
        raise OwnLevelNeedsPerson
    level = _new_level(own_guideline(session, settings), new)
    stored = session.reader_levels.store(caller.person, case_id, level)
    return reader_level_view(stored)


def _new_level(guideline: Guideline, new: NewOwnLevel) -> NewReaderLevel:
    names = [level.name for level in guideline.levels]
    known = ", ".join(names)
    if new.descriptors is None:
        if new.level not in names:
            raise ReaderLevelUnknown(
                guideline=guideline.name, level=new.level, known=known
            )
        return NewReaderLevel(guideline=guideline.name, level=new.level)
    nodule = parse_descriptors(new.descriptors)
    level = guideline.classify(nodule)
    if level is None:
        raise ReaderLevelUndetermined(guideline=guideline.name, known=known)
    return NewReaderLevel(
        guideline=guideline.name,
        level=level.name,
        descriptors=descriptors_to_json(nodule),
    )
