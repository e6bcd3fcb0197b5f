"""Types for moments that clients name. They are in UTC, and later steps can count with them."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

FIRST_YEAR = 1900
LATEST = datetime.max.replace(tzinfo=UTC)


def to_utc(moment: datetime) -> datetime:
    """Return the moment in UTC. Without a time zone it is in UTC already.

    PostgreSQL knows no offsets of 16 hours and more. The last hours of the year 9999, a customary
    word for "never", may lie after it in UTC; they become its end. Raises ValueError for a year
    before `FIRST_YEAR`.
    """
    if moment.year < FIRST_YEAR:
        raise ValueError(f"its year lies before {FIRST_YEAR}")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return LATEST


def parse_moment(text: str) -> datetime:
    """Return a moment of ISO 8601 in UTC. Raises ValueError."""
    return to_utc(datetime.fromisoformat(text))


Moment = Annotated[AwareDatetime, AfterValidator(to_utc)]
"""A moment with its time zone."""
MomentInUtc = Annotated[datetime, AfterValidator(to_utc)]
"""A moment whose time zone may be missing: it is then in UTC."""
Day = Annotated[date, Field(ge=date(FIRST_YEAR, 1, 1))]
