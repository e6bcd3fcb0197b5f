"""Parts of self-contained pages: their style sheet, and figures as SVG."""

from shared.drawing.figure import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH_INCHES,
    FigureBuilder,
    svg,
)
from shared.drawing.page import css

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "WIDTH_INCHES",
    "FigureBuilder",
    "css",
    "svg",
]
