"""Types for moments that clients name: in UTC, and of years that every later step can count with."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2999, 12, 31)
YEARS = range(FIRST_DAY.year, LAST_DAY.year + 1)


def to_utc(moment: datetime) -> datetime:
    """Return the moment in UTC. Without a time zone it is in UTC already.

    PostgreSQL knows no offsets of 16 hours and more, and a moment near the first or last year has
    none in UTC. Raises ValueError outside `YEARS`.
    """
    if moment.year not in YEARS:
        raise ValueError(f"its year must be from {YEARS[0]} to {YEARS[-1]}")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def parse_moment(text: str) -> datetime:
    """Return a moment of ISO 8601 in UTC. Raises ValueError."""
    return to_utc(datetime.fromisoformat(text))


Moment = Annotated[AwareDatetime, AfterValidator(to_utc)]
"""A moment with its time zone."""
MomentInUtc = Annotated[datetime, AfterValidator(to_utc)]
"""A moment whose time zone may be missing: it is then in UTC."""
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
