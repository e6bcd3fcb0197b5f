"""Time zones of reports."""

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


def zone_named(name: str | None) -> tzinfo:
    """Return a time zone by its IANA name. Returns UTC if the name is missing or unknown on this
    machine.
    """
    return ZoneInfo(name) if name in _zone_names() else UTC


def in_hours_of(zone: tzinfo, at: datetime) -> str:
    """Format a time to the second with its offset from UTC: 2026-03-14 17:05:09 (UTC+09:00)."""
    local = at.astimezone(zone)
    text = f"{local:%Y-%m-%d %H:%M:%S}"
    if zone is UTC:
        return f"{text} UTC"
    offset = f"{local:%z}"
    return f"{text} (UTC{offset[:3]}:{offset[3:5]})"


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())
