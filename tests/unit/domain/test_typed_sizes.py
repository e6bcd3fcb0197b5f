import pytest

from shared.domain.typed_sizes import SizeNotUnderstood, parse_size_mm
from tests.support.typed_sizes import REFUSED_SIZES, SIZES_MM


@pytest.mark.parametrize(("text", "size_mm"), SIZES_MM.items())
def test_sizes_are_read_as_people_type_them(text: str, size_mm: float) -> None:
    assert parse_size_mm(text) == size_mm


@pytest.mark.parametrize("text", REFUSED_SIZES)
def test_any_other_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SizeNotUnderstood, match=r"14\.5, 14,5 mm or 1\.2 cm"):
        parse_size_mm(text)


def test_long_blanks_within_a_size_are_one_blank() -> None:
    blanks = " " * 20_000
    assert parse_size_mm(f"14{blanks}x{blanks}9{blanks}mm") == 14
    with pytest.raises(SizeNotUnderstood):
        parse_size_mm(f"14{blanks}x{blanks}9{blanks}x{blanks}?")
