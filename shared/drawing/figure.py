"""Draws figures as SVG text with Matplotlib's objects, without its global state.

The colours are those of Okabe & Ito, which colour-blind readers can distinguish.
"""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
BLACK = "#000000"
WIDTH_INCHES = 4.6
"""Narrow, so that the letters are legible on a phone."""
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
    """The figure as an SVG element for a page.

    It has no XML prologue, and its ids begin with `name`, so that no other figure of the page has
    them.
    """
    output = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure = draw()
        figure.savefig(output, format="svg", metadata=NO_METADATA)
    document = output.getvalue()
    element = document[document.index("<svg") :]
    element = re.sub(r'\b(id="|href="#)', rf"\g<1>{name}-", element)
    element = element.replace("url(#", f"url(#{name}-")
    labelled_start = f'<svg role="img" aria-label="{title}" '
    return re.sub(r"<svg ", labelled_start, element, count=1)
