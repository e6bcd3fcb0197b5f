"""Keeps spreadsheets from running what people typed."""

import re

CELL_START = re.compile(
    r"(^|[;\t\r\n])(\s*+)(?=([\"']?[^\S\t\r]*+[=+\-@\t\r＝＋－＠])?)"
)
"""Where a spreadsheet may see the start of a cell: at the start of the text, and after what some
language's spreadsheet takes for a delimiter. The second group is the blanks there, the third what
makes the cell a formula; full-width signs become plain ones. Every run of blanks is matched once,
formula or not, so that a long one takes no longer than its length.
"""


def spreadsheet_text(text: str) -> str:
    """Return text for a cell of a CSV file, with an apostrophe before what would be a formula.

    See OWASP, CSV injection.
    """
    return CELL_START.sub(_guarded_start, text)


def _guarded_start(match: re.Match[str]) -> str:
    delimiter, blanks, formula_start = match.groups()
    if formula_start or "\t" in blanks or "\r" in blanks:
        return f"{delimiter}'{blanks}"
    return match[0]
