"""Errors of the corners of a photographed screen."""

from shared.errors import InputError


class CornersInvalid(InputError):
    code = "corners-invalid"
    text = (
        "The corners cannot be used: {problem}. "
        "Send [[x,y],[x,y],[x,y],[x,y]] in pixels of the upright photo, "
        "clockwise from the upper left, or leave `corners` out to have them found."
    )
