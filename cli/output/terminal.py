"""The only place through which the command line prints.

What a command prints comes from files, tables, hospitals and services, too. A terminal obeys
control characters in it: an escape sequence may change its title, delete lines or type commands. So
they are replaced here, for every command.
"""

import json
import re
import sys
from collections.abc import Iterable

from rich.console import Console as RichConsole
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style

CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters C0 and C1 except line feed and tab, those that reorder or break lines, and half
characters, which cannot be written.
"""
REPLACEMENT = "\ufffd"


def printable(text: str) -> str:
    """Return the text with a visible sign in place of each control character."""
    return CONTROL.sub(REPLACEMENT, text)


class Console(RichConsole):
    """Prints text without the control characters in it. Colours and progress bars are kept."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            if control:
                yield Segment(text, style, control)
            else:
                yield Segment(printable(text), _without_link(style))


def _without_link(style: Style | None) -> Style | None:
    """An address of a link reaches the terminal as a control sequence."""
    return style.update_link(None) if style and style.link else style


def print_json(facts: object) -> None:
    """Print facts as JSON, in ASCII."""
    print(json.dumps(facts, indent=2, default=str))


def print_line(text: str) -> None:
    """Print a line without layout, for programs and for copying."""
    print(printable(text))


def print_error(text: str) -> None:
    """Print an error's lines to stderr."""
    print(printable(text), file=sys.stderr)
