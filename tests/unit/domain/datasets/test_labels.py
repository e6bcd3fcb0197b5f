"""Words for benign and malignant in a table of images."""

import pytest

from tests.support.manifests import parse, problems, rows_of


@pytest.mark.parametrize(
    "word", ["1", "1.0", "TRUE", "True", "yes", "malignant", "악성", "１"]
)
def test_words_for_malignant(word: str) -> None:
    (row,) = rows_of(f"image,malignant\na.png,{word}\n")
    assert row.malignant is True


@pytest.mark.parametrize("word", ["0", "0.0", "FALSE", "no", "Benign"])
def test_words_for_benign(word: str) -> None:
    (row,) = rows_of(f"image,malignant\na.png,{word}\n")
    assert row.malignant is False


@pytest.mark.parametrize(
    "word", ["2", "-1", "01", "0.5", "maybe", "t", "on", "malign", "음성"]
)
def test_any_other_label_is_refused(word: str) -> None:
    manifest = parse(f"image,malignant\na.png,{word}\nb.png,0\n")
    assert problems(manifest) == [(2, "row-label")]
    assert len(manifest.rows) == 1


def test_a_korean_word_of_two_meanings_counts_only_beside_its_opposite() -> None:
    rows = rows_of("image,malignant\na.png,양성\nb.png,악성\n")
    assert [row.malignant for row in rows] == [False, True]
    manifest = parse("image,malignant\na.png,양성\nb.png,1\n")
    assert problems(manifest) == [(2, "row-label-ambiguous")]
