import base64
from uuid import uuid4

import pyotp
import pytest

from shared.security import authenticators
from shared.security.authenticators import (
    STEP_S,
    PeopleKeyUnusable,
    PeopleKeyUnwritable,
    Vault,
)
from shared.settings import Settings

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
"""The secret of RFC 6238, appendix B."""


def matching_step(code, now_s, last_step=None):
    return authenticators.matching_step(
        RFC_SECRET, code=code, now_s=now_s, last_step=last_step
    )


@pytest.mark.parametrize(
    ("now_s", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]
)
def test_codes_are_those_of_rfc_6238(now_s, code):
    assert matching_step(code, now_s) == now_s // STEP_S


@pytest.mark.parametrize(
    ("steps", "is_accepted"),
    [(-2, False), (-1, True), (0, True), (1, True), (2, False)],
)
def test_a_code_of_an_adjacent_step_is_accepted_and_no_other(steps, is_accepted):
    now_s = 1_000_000_000
    code = pyotp.HOTP(RFC_SECRET).at(now_s // STEP_S + steps)
    assert (matching_step(code, now_s) is not None) is is_accepted


def test_no_code_is_accepted_after_itself_or_a_later_one():
    now_s = 1_000_000_000
    step = now_s // STEP_S
    code = pyotp.HOTP(RFC_SECRET).at(step)
    assert matching_step(code, now_s, step - 1) == step
    assert matching_step(code, now_s, step) is None
    assert matching_step(code, now_s, step + 1) is None


@pytest.mark.parametrize("code", ["", "abc", "12345", "1234567", "é" * 6, "٣" * 6])
def test_text_that_is_no_code_is_refused(code):
    assert matching_step(code, 59) is None


def test_a_code_may_be_typed_with_a_blank():
    assert matching_step("287 082", 59) == 1


def test_ten_different_recovery_codes_are_accepted_in_any_spelling():
    codes = authenticators.recovery_codes()
    assert len(set(codes)) == 10
    respelled = codes[0].upper().replace("-", " ")
    code_hash = authenticators.recovery_hash(codes[0])
    assert authenticators.recovery_hash(respelled) == code_hash


def test_a_secret_is_encrypted_and_bound_to_its_person(tmp_path):
    vault = Vault(Settings(home=tmp_path))
    person = uuid4()
    secret = authenticators.new_secret()
    sealed = vault.seal(person, secret)
    assert Vault(Settings(home=tmp_path)).open(person, sealed) == secret
    assert secret.encode() not in sealed
    with pytest.raises(PeopleKeyUnusable):
        vault.open(uuid4(), sealed)
    assert (tmp_path / "keys" / "people-aes").stat().st_mode & 0o077 == 0


def test_a_key_in_the_settings_serves_every_gateway_and_a_wrong_one_is_refused(
    tmp_path,
):
    key = base64.b64encode(bytes(32)).decode()
    person = uuid4()
    first_vault = Vault(Settings(home=tmp_path / "a", people_key=key))
    second_vault = Vault(Settings(home=tmp_path / "b", people_key=key))
    sealed = first_vault.seal(person, "x")
    assert second_vault.open(person, sealed) == "x"
    assert not (tmp_path / "a").exists()
    for wrong_key in (base64.b64encode(b"1" * 32).decode(), "short", "no base64!"):
        vault = Vault(Settings(home=tmp_path, people_key=wrong_key))
        with pytest.raises(PeopleKeyUnusable, match="SERA_PEOPLE_KEY"):
            vault.open(person, sealed)


def test_the_error_of_an_unwritable_home_names_the_key_file(tmp_path):
    (tmp_path / "keys").write_text("a file where the folder should be")
    with pytest.raises(PeopleKeyUnwritable, match="people-aes"):
        Vault(Settings(home=tmp_path)).seal(uuid4(), "x")
