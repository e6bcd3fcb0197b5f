"""Times on a page: UTC from the server, which a script rewrites in the visitor's time zone."""

from datetime import UTC, datetime

from markupsafe import Markup

FORMATS = {
    "minute": "%Y-%m-%d %H:%M",
    "second": "%Y-%m-%d %H:%M:%S",
    "day": "%Y-%m-%d",
    "clock": "%H:%M:%S",
}
"""The precision of a time by its name; `times.js` has the same names."""
FULL_FORMAT = "%Y-%m-%d %H:%M:%S UTC"


def moment(at: datetime, shape: str = "minute") -> Markup:
    """A `time` element with the time in UTC, which stays where no script runs."""
    utc = at.astimezone(UTC)
    element = Markup(
        '<time datetime="{iso}" title="{full}" data-shape="{shape}">{text} UTC</time>'
    )
    return element.format(
        iso=utc.isoformat(),
        full=f"{utc:{FULL_FORMAT}}",
        shape=shape,
        text=f"{utc:{FORMATS[shape]}}",
    )
