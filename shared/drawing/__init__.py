"""What pages that stand alone have in common: their style sheet, and figures inside as SVG."""

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
