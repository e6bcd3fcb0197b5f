"""The PDF document of a report: A4, a font with Korean letters, a footer on every page."""

import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fpdf import FPDF
from fpdf.fonts import FontFace

FONT = "NanumGothic"
MARGIN_MM = 15
FOOTER_MM = 22
LINE_MM = 5
INK = (20, 32, 43)
QUIET = (84, 98, 111)
ALARM = (160, 30, 20)
PALE = (226, 232, 238)
WHITE = (255, 255, 255)
BODY_PT = 9.5
SMALL_PT = 8


class ReportDocument(FPDF):
    """Writes headings, lines, pairs and tables from top to bottom."""

    def __init__(self, footer: Sequence[str], page: str) -> None:
        """`page` is a sentence with the fields {page} and {pages}."""
        super().__init__(format="A4")
        self._footer = footer
        self._page = page
        self.add_font(FONT, fname=_font_path("NanumGothic.ttf"))
        self.add_font(FONT, style="B", fname=_font_path("NanumGothicBold.ttf"))
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, FOOTER_MM)
        self.set_text_color(*INK)
        self.plain()

    def footer(self) -> None:
        """The footer of every page: what SERA is, who printed the report, the page number."""
        self.set_y(-FOOTER_MM + 2)
        self.plain(SMALL_PT, QUIET)
        for line in self._footer:
            self.multi_cell(0, 4, line, new_x="LMARGIN", new_y="NEXT")
        self.cell(0, 4, self._page.format(page=self.page_no(), pages="{nb}"), align="R")

    def plain(self, size: float = BODY_PT, colour: tuple[int, int, int] = INK) -> None:
        self.set_font(FONT, size=size)
        self.set_text_color(*colour)

    def bold(self, size: float = BODY_PT, colour: tuple[int, int, int] = INK) -> None:
        self.set_font(FONT, style="B", size=size)
        self.set_text_color(*colour)

    def heading(self, text: str) -> None:
        self.ln(2.5)
        self.bold(11)
        self.line_of(text)

    def line_of(self, text: str, height: float = LINE_MM) -> None:
        self.multi_cell(0, height, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def pairs(
        self, rows: Sequence[tuple[str, str]], width: float | None = None
    ) -> None:
        """Rows of a name and a value; `width` in mm, None for the whole page."""
        self.plain()
        style = {
            "borders_layout": "NONE",
            "first_row_as_headings": False,
            "line_height": LINE_MM,
            "align": "LEFT",
        }
        with self.table(
            col_widths=(2, 4), width=width, text_align="LEFT", **style
        ) as table:
            for row in rows:
                table.row(row)

    def grid(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]
    ) -> None:
        """A table with a header row."""
        self.plain(SMALL_PT)
        style = {
            "borders_layout": "HORIZONTAL_LINES",
            "line_height": 4.5,
            "headings_style": FontFace(emphasis="BOLD"),
        }
        with self.table(col_widths=widths, text_align="LEFT", **style) as table:
            for row in (head, *rows):
                table.row(row)


@cache
def _font_path(name: str) -> Path:
    """Return the path of a font file in the package that contains it. The package's code is not
    run.
    """
    # fontTools logs a warning for each hinting table that it drops.
    logging.getLogger("fontTools.subset").setLevel(logging.ERROR)
    package = find_spec("koreanize_matplotlib")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "koreanize_matplotlib, whose letters reports are written in"
        )
    return Path(package.origin).parent / "fonts" / name
