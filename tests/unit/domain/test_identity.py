import unicodedata

import pytest

from shared.domain.identity import Spellings, identity_key

KOREAN = "홍길동"


@pytest.mark.parametrize(
    "spelling",
    [
        "P-01",
        "p-01",
        " P-01 ",
        "P - 01",
        "P\u200b-01",
        "\ufeffP-01",
        "Ｐ－０１",
        "P\u201101",
        "P\u201301",
        "P\u221201",
        "P-0\u00ad1",
        "P\u00a0-01",
        "P-01\ufe0f",
        "P-01\t",
        "P-\u0660\u0661",
        "P\u02d701",
        "P-01\u2800",
        "P-01\ufffc",
        "\u202aP-01\u202c",
    ],
)
def test_all_spellings_of_a_number_have_one_key(spelling: str) -> None:
    assert identity_key(spelling) == "p-01"


@pytest.mark.parametrize("number", ["P-1", "P-010", "P01", "Q-01", "P_01", "P-01a"])
def test_other_numbers_have_other_keys(number: str) -> None:
    assert identity_key(number) != identity_key("P-01")


def test_composed_and_decomposed_korean_have_one_key() -> None:
    forms = {unicodedata.normalize(form, KOREAN) for form in ("NFC", "NFD")}
    assert len(forms) == 2
    assert {identity_key(form) for form in forms} == {KOREAN}


def test_a_number_of_unseen_characters_is_empty() -> None:
    assert [identity_key(text) for text in ("", " ", "\u200b\ufeff", "\u3164")] == [
        ""
    ] * 4


def test_the_first_spelling_counts() -> None:
    spellings = Spellings(["Nord-Klinik"])
    texts = ["NORD-KLINIK", "south", "Nord\u2011Klinik", "South "]
    assert [spellings.unify(text) for text in texts] == [
        "Nord-Klinik",
        "south",
        "Nord-Klinik",
        "south",
    ]
