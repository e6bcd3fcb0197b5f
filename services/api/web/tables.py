"""Tables that are cards on a phone: each cell bears its column's name, which `sera.css` shows beside it there.

A browser that lays a table out as blocks forgets that it is one. So each part says what it is by its role as well.
"""

import re

from markupsafe import Markup

PART = re.compile(r"<(/?)(table|thead|tbody|tr|th|td)\b([^>]*)>")
TAG = re.compile(r"<[^>]*>")
SPAN = re.compile(r'colspan="(\d+)"')
ROLES = {
    "table": "table",
    "thead": "rowgroup",
    "tbody": "rowgroup",
    "tr": "row",
    "td": "cell",
}
UNNAMED = re.compile(r'scope="|data-label="|class="acts|colspan="')
"""Cells that speak for themselves: a row's name, one named by hand, buttons, one that goes over several columns."""


def cards(html: str) -> Markup:
    """A template's tables with roles and labels; their own markup is trusted, as all that a template made."""
    return Markup(PART.sub(_Reading(), html))


class _Reading:
    """Goes through a table's parts in their order."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._heading = False
        self._column = 0
        self._begun = 0

    def __call__(self, part: re.Match[str]) -> str:
        closing, tag, attributes = part.groups()
        if tag == "thead":
            self._heading = not closing
            self._names = self._names if closing else []
        if tag == "tr":
            self._column = 0
        if tag in ("th", "td"):
            return self._end(part) if closing else self._cell(part, tag, attributes)
        return part[0] if closing else f'<{tag} role="{ROLES[tag]}"{attributes}>'

    def _cell(self, part: re.Match[str], tag: str, attributes: str) -> str:
        column = self._column
        wide = SPAN.search(attributes)
        self._column = column + (int(wide[1]) if wide else 1)
        self._begun = part.end()
        label = (
            "" if self._heading or UNNAMED.search(attributes) else self._label(column)
        )
        return f'<{tag} role="{_role(tag, attributes)}"{label}{attributes}>'

    def _label(self, column: int) -> str:
        name = self._names[column] if column < len(self._names) else ""
        return f' data-label="{name}"' if name else ""

    def _end(self, part: re.Match[str]) -> str:
        if self._heading:
            told = " ".join(
                TAG.sub("", part.string[self._begun : part.start()]).split()
            )
            self._names += [told.replace('"', "&quot;")] + [""] * (
                self._column - len(self._names) - 1
            )
        return part[0]


def _role(tag: str, attributes: str) -> str:
    if tag == "td":
        return ROLES["td"]
    return "columnheader" if 'scope="col' in attributes else "rowheader"
