"""Tables that turn into cards on a phone. Each cell gets its column's name, which `sera.css` shows.

A browser that lays out a table as blocks drops its table semantics. So each part also gets its ARIA
role.
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
UNLABELLED = re.compile(r'scope="|data-label="|class="acts|colspan="')
"""Cells that need no label: row headers, cells labelled by hand, buttons, cells across columns."""


def cards(html: str) -> Markup:
    """A template's tables with roles and labels. The template's own markup is trusted."""
    return Markup(PART.sub(_TableLabeller(), html))


class _TableLabeller:
    """Replaces the tags of a table in document order."""

    def __init__(self) -> None:
        self._column_names: list[str] = []
        self._in_heading = False
        self._column = 0
        self._cell_start = 0

    def __call__(self, part: re.Match[str]) -> str:
        closing, tag, attributes = part.groups()
        if tag == "thead":
            self._in_heading = not closing
            self._column_names = self._column_names if closing else []
        if tag == "tr":
            self._column = 0
        if tag in ("th", "td"):
            return self._close(part) if closing else self._open(part, tag, attributes)
        return part[0] if closing else f'<{tag} role="{ROLES[tag]}"{attributes}>'

    def _open(self, part: re.Match[str], tag: str, attributes: str) -> str:
        column = self._column
        span = SPAN.search(attributes)
        self._column = column + (int(span[1]) if span else 1)
        self._cell_start = part.end()
        label = self._label(column, attributes)
        return f'<{tag} role="{_role(tag, attributes)}"{label}{attributes}>'

    def _label(self, column: int, attributes: str) -> str:
        if self._in_heading or UNLABELLED.search(attributes):
            return ""
        name = self._column_names[column] if column < len(self._column_names) else ""
        return f' data-label="{name}"' if name else ""

    def _close(self, part: re.Match[str]) -> str:
        if self._in_heading:
            html = part.string[self._cell_start : part.start()]
            name = " ".join(TAG.sub("", html).split())
            self._column_names.append(name.replace('"', "&quot;"))
            spanned = self._column - len(self._column_names)
            self._column_names += [""] * spanned
        return part[0]


def _role(tag: str, attributes: str) -> str:
    if tag == "td":
        return ROLES["td"]
    return "columnheader" if 'scope="col' in attributes else "rowheader"
