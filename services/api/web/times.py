"""Moments on a page: in UTC as the server has them, marked for the visitor's browser to say them in its own zone."""

from datetime import UTC, datetime

from markupsafe import Markup

SHAPES = {
    "minute": "%Y-%m-%d %H:%M",
    "second": "%Y-%m-%d %H:%M:%S",
    "day": "%Y-%m-%d",
    "clock": "%H:%M:%S",
}
"""How much of a moment is said; `times.js` knows the same names."""
WHOLE = "%Y-%m-%d %H:%M:%S UTC"


def moment(at: datetime, shape: str = "minute") -> Markup:
    """A `time` element; what it says stays where no script runs."""
    utc = at.astimezone(UTC)
    return Markup(
        '<time datetime="{}" title="{}" data-shape="{}">{} UTC</time>'
    ).format(f"{utc.isoformat()}", f"{utc:{WHOLE}}", shape, f"{utc:{SHAPES[shape]}}")
