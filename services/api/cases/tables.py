"""Reads a table of cases for a page or program that submits them together."""

from typing import Annotated

from fastapi import APIRouter, File, UploadFile
from pydantic import BaseModel, Field

from services.api.dependencies import Submitter
from services.api.errors import error_item
from services.api.strict_requests import StrictRoute
from services.api.table_uploads import MAX_TABLE_ROWS, table_source
from shared.domain.datasets.case_table import parse_case_table
from shared.domain.datasets.manifest import TableInvalid
from shared.domain.datasets.table_text import TableFault

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["cases"])
TABLE = (
    "CSV in UTF-8, UTF-16 or CP949, with comma, semicolon, tab or vertical bar: "
    "`file,[size_mm],[external_id],[roi],[roi_space],[priority]`. Other columns are ignored and "
    "named; a name that is nearly one of these is refused. At most 20,000 rows and 4 MiB."
)
TABLE_EXAMPLE = "file,size_mm,external_id\na.png,14.5,A-17\nb.png,1.2 cm,A-18\n"


class CaseTableRow(BaseModel):
    line: int
    cells: dict[str, str] = Field(
        description="The cells that are filled in, by column, as they were typed."
    )


class CaseTableRefusal(BaseModel):
    line: int
    code: str
    message: str = Field(description="Reason, in the caller's language.")


class CaseTableView(BaseModel):
    """What SERA reads in a table of cases. Nothing was stored."""

    encoding: str | None = Field(
        description="`UTF-8`, `UTF-16`, `UTF-32` or `CP949`; null if the table came as text."
    )
    sample: str = Field(
        description="Some words of a table that was read as CP949, by which a person sees whether "
        "that was right; else empty."
    )
    delimiter: str = Field(description="Comma, semicolon, tab or vertical bar.")
    ignored_columns: list[str]
    rows: list[CaseTableRow]
    refused: list[CaseTableRefusal]


@router.post("/case-tables")
def read_case_table(
    caller: Submitter,
    table: Annotated[
        UploadFile | str, File(description=TABLE, examples=[TABLE_EXAMPLE])
    ],
) -> CaseTableView:
    """Read a table of cases, whose files are then submitted one by one. Nothing is stored."""
    try:
        source = table_source(table)
    except TableFault as fault:
        raise TableInvalid(problem=fault.problem) from fault
    cases = parse_case_table(source, max_rows=MAX_TABLE_ROWS)
    refused = []
    for row in cases.refused:
        error = error_item(row.error)
        refused.append(
            CaseTableRefusal(
                line=row.line, code=error["code"], message=error["message"]
            )
        )
    return CaseTableView(
        encoding=cases.encoding,
        sample=cases.sample,
        delimiter=cases.delimiter,
        ignored_columns=list(cases.ignored_columns),
        rows=[CaseTableRow(line=row.line, cells=row.cells) for row in cases.rows],
        refused=refused,
    )
