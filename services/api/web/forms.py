"""Query parameters of filter forms. An empty field means no filter; a day is a whole day in UTC."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

from services.api.moments import Day
from services.api.text import OptionalText

BlankAsNone = BeforeValidator(lambda value: value or None)
TextFilter = Annotated[OptionalText, Query()]
DayFilter = Annotated[
    Annotated[Day, Field(le=date(9000, 1, 1))] | None, BlankAsNone, Query()
]


def day_start(day: date | None) -> datetime | None:
    """Midnight at which the day begins, UTC."""
    if day is None:
        return None
    return datetime.combine(day, time(), UTC)


def day_end(day: date | None) -> datetime | None:
    """Midnight at which the day ends, UTC: a window up to it includes the day."""
    if day is None:
        return None
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
