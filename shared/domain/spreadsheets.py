"""Keeps spreadsheets from running what people typed."""

import re

CELL_STARTS = re.compile(r"(^|[;\t\r\n])(\s*[\"']?\s*)(?=[=+\-@\t\r＝＋－＠])")
"""Where a spreadsheet may see the start of a formula: at the start of a cell, and after what some
language's spreadsheet takes for a delimiter. Full-width signs become plain ones."""


def spreadsheet_text(text: str) -> str:
    """Return text for a cell of a CSV file, with an apostrophe before what would be a formula.

    See OWASP, CSV injection.
    """
    return CELL_STARTS.sub(r"\1'\2", text)
