import pytest

from shared.domain.datasets.case_table import parse_case_table
from shared.domain.datasets.manifest import TableInvalid


def test_cells_are_kept_as_they_were_typed() -> None:
    table = parse_case_table(
        'file;size_mm;roi;소견\r\n결절.png;1,4 cm;"1;2;3;4";x\r\nb.png;;;\r\n'.encode(
            "cp949"
        )
    )
    assert [(row.line, row.cells) for row in table.rows] == [
        (2, {"file": "결절.png", "size_mm": "1,4 cm", "roi": "1;2;3;4"}),
        (3, {"file": "b.png"}),
    ]
    assert (table.encoding, table.delimiter) == ("CP949", ";")
    assert table.ignored_columns == ("소견",)


def test_a_row_whose_cells_have_shifted_is_refused_with_its_line() -> None:
    table = parse_case_table(b"file,size_mm,external_id\na.png,9,5,A-1\nb.png,9,A-2\n")
    assert [(row.line, row.problem.code) for row in table.refused] == [
        (2, "row-too-long")
    ]
    assert [row.cells["file"] for row in table.rows] == ["b.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,size_mm,size_mm\na.png,1,2\n", "names size_mm twice"),
        ("file,size\na.png,1\n", "Did you mean size_mm"),
        ("file,size_cm\na.png,1\n", "Convert its values to mm"),
        ("File,size_mm\na.png,1\n", "Did you mean file"),
        ("size_mm\n1\n", "lacks file"),
        ('file,size_mm\na.png,"1\nb.png,2\n', "in line 2"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(text: str, message: str) -> None:
    with pytest.raises(TableInvalid, match=message):
        parse_case_table(text.encode())
