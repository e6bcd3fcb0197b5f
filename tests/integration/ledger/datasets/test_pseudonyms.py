import hashlib
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from shared.ledger.datasets.pseudonyms import PSEUDONYM_LETTERS


def test_a_number_has_one_pseudonym_in_the_whole_house_and_is_not_in_it(ledger):
    with ledger.system_session("test") as system:
        first = system.pseudonyms.pseudonymise("12345678")
    with ledger.system_session("test") as system:
        assert (
            system.pseudonyms.pseudonymise(" 12345678 ")
            == first
            != system.pseudonyms.pseudonymise("12345679")
        )
    assert len(first) == PSEUDONYM_LETTERS
    assert "12345678" not in first


def test_without_the_secret_a_number_cannot_be_tried(ledger, engines):
    with ledger.system_session("test") as system:
        found = system.pseudonyms.pseudonymise("7")
    assert not any(
        hashlib.sha256(guess).hexdigest().startswith(found)
        for guess in (b"7", b"set\x007")
    )


def test_no_number_has_no_pseudonym(ledger):
    with ledger.system_session("test") as system:
        assert [
            system.pseudonyms.pseudonymise(number) for number in (None, "", "  ")
        ] == [None] * 3


def test_the_secret_is_drawn_once_even_if_many_need_it_first(ledger):
    def pseudonymise(_):
        with ledger.system_session("test") as system:
            return system.pseudonyms.pseudonymise("7")

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(pseudonymise, range(12)))) == 1


def test_all_spellings_of_a_number_have_one_pseudonym(ledger):
    decomposed = unicodedata.normalize("NFD", "홍길동 1")
    with ledger.system_session("test") as system:
        pseudonyms = {
            system.pseudonyms.pseudonymise(number)
            for number in ("홍길동 1", decomposed, "홍길동\u200b１", "\ufeff홍길동1")
        }
        assert len(pseudonyms) == 1
        assert system.pseudonyms.pseudonymise("\u200b") is None
