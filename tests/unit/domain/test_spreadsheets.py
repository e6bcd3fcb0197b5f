"""Cells of a CSV file that a spreadsheet would run."""

import pytest

from shared.domain.spreadsheets import spreadsheet_text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        (" =1", "' =1"),
        ("\t=1", "'\t=1"),
        ("a;=cmd()", "a;'=cmd()"),
        ("a\t@SUM(1)", "a\t'@SUM(1)"),
        ("a\n-1", "a\n'-1"),
        ('"=1', "'\"=1"),
    ],
)
def test_what_may_begin_a_formula_gets_an_apostrophe(text, cell):
    assert spreadsheet_text(text) == cell


@pytest.mark.parametrize("text", ["", "N-17", "a = b", "김 1-2", "x,=y"])
def test_other_text_stays(text):
    assert spreadsheet_text(text) == text


@pytest.mark.parametrize("blank", [" ", "\n", "\n'", " ;"])
def test_a_cell_of_blanks_is_read_once_and_not_in_every_division(blank):
    text = blank * 20_000 + "x"
    assert spreadsheet_text(text) == text
