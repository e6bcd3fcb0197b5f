"""What forms that filter send: a field that was left empty asks for nothing, and days are whole, UTC."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

from services.api.text import OptionalText

BlankAsNone = BeforeValidator(lambda told: told or None)
TextFilter = Annotated[OptionalText, Query()]
DayFilter = Annotated[Annotated[date, Field(le=date(9000, 1, 1))] | None, BlankAsNone, Query()]


def day_start(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def day_end(day: date | None) -> datetime | None:
    """The day itself is still within."""
    return (
        None if day is None else datetime.combine(day, time(), UTC) + timedelta(days=1)
    )
