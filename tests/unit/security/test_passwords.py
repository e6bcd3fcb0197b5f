import pytest
from argon2 import PasswordHasher, Type
from argon2 import extract_parameters as parameters

from shared.security import passwords
from shared.security.passwords import PasswordGuessable, PasswordTooShort


@pytest.mark.parametrize("password", ["short", "eleven lett", "x1" * 101])
def test_a_password_has_twelve_letters_at_least_and_an_end(password):
    with pytest.raises(PasswordTooShort):
        passwords.check_password(password, "a.reader")


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd!2024",
        "administrator",
        "operatoroperator",
        "abcdefghijkl",
        "lkjihgfedcba",
        "123456789012",
        "qwertyuiopas",
        "aaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "Summer2026!!",
        "A.Reader-2026",
        "a.reader@north",
    ],
)
def test_what_is_tried_first_is_refused(password):
    with pytest.raises(PasswordGuessable):
        passwords.check_password(password, "a.reader")


@pytest.mark.parametrize(
    "password",
    [
        "four words of no sense",
        "correct horse battery",
        "gelbe Ente fährt Bus",
        "7h2k9qm4xz1p",
    ],
)
def test_length_is_enough_and_no_kind_of_letter_is_asked_for(password):
    passwords.check_password(password, "a.reader")


def test_a_one_time_password_passes_the_rules_and_is_another_each_time():
    drawn = {passwords.one_time_password() for _ in range(100)}
    assert len(drawn) == 100
    for each in drawn:
        passwords.check_password(each, "operator")


def test_a_hash_is_argon2id_and_knows_its_password_however_its_accents_are_typed():
    kept = passwords.hash_password("gelbe Ente f\u00e4hrt Bus")
    assert kept.startswith("$argon2id$")
    assert passwords.matches(kept, "gelbe Ente fa\u0308hrt Bus")
    assert not passwords.matches(kept, "gelbe Ente faehrt Bus")


def test_a_guess_at_nobodys_password_costs_what_a_guess_at_somebodys_does_and_is_wrong():
    assert parameters(passwords.DUMMY_HASH) == parameters(passwords.HASHER.hash("x"))
    assert not passwords.matches(None, "a")


def test_a_hash_of_other_parameters_is_stale():
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    assert (passwords.needs_rehash(old), passwords.needs_rehash(passwords.DUMMY_HASH)) == (True, False)
    assert passwords.matches(old, "x")


def test_what_is_no_hash_matches_nothing():
    assert not passwords.matches("hash", "hash")


def test_a_hash_costs_what_rfc_9106_recommends_where_memory_is_short():
    cost = parameters(passwords.hash_password("four words of no sense"))
    assert (cost.type, cost.memory_cost, cost.time_cost, cost.parallelism) == (
        Type.ID,
        64 * 1024,
        3,
        4,
    )
