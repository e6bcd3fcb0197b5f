import pytest
from argon2 import PasswordHasher, Type
from argon2 import extract_parameters as parameters

from shared.security import passwords
from shared.security.passwords import PasswordGuessable, PasswordTooShort


@pytest.mark.parametrize("password", ["short", "eleven lett", "x1" * 101])
def test_a_password_has_12_to_200_letters(password):
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
def test_a_guessable_password_is_refused(password):
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
def test_length_is_enough_and_no_kind_of_letter_is_required(password):
    assert passwords.check_password(password, "a.reader") is None


def test_a_one_time_password_passes_the_rules_and_is_another_each_time():
    one_time_passwords = {passwords.one_time_password() for _ in range(100)}
    assert len(one_time_passwords) == 100
    for password in one_time_passwords:
        passwords.check_password(password, "operator")


def test_a_hash_is_argon2id_and_matches_either_spelling_of_an_accent():
    password_hash = passwords.hash_password("gelbe Ente f\u00e4hrt Bus")
    assert password_hash.startswith("$argon2id$")
    assert passwords.matches(password_hash, "gelbe Ente fa\u0308hrt Bus")
    assert not passwords.matches(password_hash, "gelbe Ente faehrt Bus")


def test_a_guess_for_an_unknown_person_costs_as_much_and_is_wrong():
    assert parameters(passwords.DUMMY_HASH) == parameters(passwords.HASHER.hash("x"))
    assert not passwords.matches(None, "a")


def test_a_hash_of_other_parameters_needs_a_rehash():
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    assert passwords.needs_rehash(old)
    assert not passwords.needs_rehash(passwords.DUMMY_HASH)
    assert passwords.matches(old, "x")


def test_text_that_is_no_hash_matches_nothing():
    assert not passwords.matches("hash", "hash")


def test_a_hash_has_the_low_memory_parameters_of_rfc_9106():
    cost = parameters(passwords.hash_password("four words of no sense"))
    assert (cost.type, cost.memory_cost, cost.time_cost, cost.parallelism) == (
        Type.ID,
        64 * 1024,
        3,
        4,
    )
