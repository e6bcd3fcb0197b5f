import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cli.output.printable import printable, printable_json


def test_what_a_terminal_obeys_is_shown_and_not_sent() -> None:
    assert printable("a\x1b[2Jb") == "a\\x1b[2Jb"
    assert printable("\x9b0m \x07 \r \x00 \x7f") == "\\x9b0m \\x07 \\r \\x00 \\x7f"
    assert printable("risk \u202e %21") == "risk \\u202e %21"
    assert printable("\ud800") == "\\ud800"


def test_other_text_stays_as_it_is() -> None:
    for text in ("결절 12 mm — «née»", "first\n\tsecond", "👩\u200d⚕️", ""):
        assert printable(text) == text


@given(st.text())
def test_only_line_breaks_and_tabs_are_left_of_control_characters(text: str) -> None:
    left = {
        character
        for character in printable(text)
        if unicodedata.category(character) in ("Cc", "Cs")
    }
    assert left <= {"\n", "\t"}


def test_every_text_of_an_answer_is_printable() -> None:
    answer = {"a\x1b": ["b\x07", {"c": "d\x9b"}], "number": 1, "none": None}
    assert printable_json(answer) == {
        "a\\x1b": ["b\\x07", {"c": "d\\x9b"}],
        "number": 1,
        "none": None,
    }
