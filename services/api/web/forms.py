"""What forms that filter send: a field that was left empty asks for nothing, and days are whole, UTC."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

from services.api.text import OptionalText

Blank = BeforeValidator(lambda told: told or None)
Words = Annotated[OptionalText, Query()]
Day = Annotated[Annotated[date, Field(le=date(9000, 1, 1))] | None, Blank, Query()]


def beginning(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def end(day: date | None) -> datetime | None:
    """The day itself is still within."""
    return (
        None if day is None else datetime.combine(day, time(), UTC) + timedelta(days=1)
    )
