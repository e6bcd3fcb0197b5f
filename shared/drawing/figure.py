"""Figures as SVG text, drawn through Matplotlib's objects alone.

Colours are those of Okabe & Ito, told apart by the colour-blind.
"""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
WIDTH_INCHES = 4.6
"""Narrow, so that its letters can be read on a phone."""
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sera",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelsize": 10,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
}
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
FigureBuilder = Callable[[], Figure]


def svg(name: str, title: str, draw: FigureBuilder) -> str:
    """Draw in our style and keep what goes inside a page: no prologue, ids that no other figure has."""
    out = io.StringIO()
    with matplotlib.rc_context(STYLE):
        draw().savefig(out, format="svg", metadata=NO_METADATA)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\b(id="|href="#)', rf"\g<1>{name}-", text)
    text = text.replace("url(#", f"url(#{name}-")
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{title}" ', text, count=1)
