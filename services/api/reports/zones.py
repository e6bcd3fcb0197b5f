"""In whose hours a report is written."""

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


def zone_named(name: str | None) -> tzinfo:
    """A zone by its IANA name; UTC where none is named or this machine does not know it."""
    return ZoneInfo(name) if name in _known() else UTC


def in_hours_of(zone: tzinfo, at: datetime) -> str:
    """A moment to the second, with how far its hours are from UTC: 2026-03-14 17:05:09 (UTC+09:00)."""
    local = at.astimezone(zone)
    apart = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S} " + (
        f"(UTC{apart[:3]}:{apart[3:5]})" if zone is not UTC else "UTC"
    )


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
