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
"""Of RFC 6238, appendix B."""


@pytest.mark.parametrize(
    ("now_s", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]
)
def test_codes_are_those_of_rfc_6238(now_s, code):
    assert authenticators.matching_step(RFC_SECRET, code, now_s, None) == now_s // STEP_S


@pytest.mark.parametrize(
    ("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_code_of_the_step_before_or_after_is_taken_and_no_other(steps, good):
    now_s = 1_000_000_000
    code = pyotp.HOTP(RFC_SECRET).at(now_s // STEP_S + steps)
    assert (authenticators.matching_step(RFC_SECRET, code, now_s, None) is not None) is good


def test_no_code_is_taken_after_itself_or_a_later_one():
    now_s = 1_000_000_000
    step = now_s // STEP_S
    code = pyotp.HOTP(RFC_SECRET).at(step)
    assert authenticators.matching_step(RFC_SECRET, code, now_s, step - 1) == step
    assert authenticators.matching_step(RFC_SECRET, code, now_s, step) is None
    assert authenticators.matching_step(RFC_SECRET, code, now_s, step + 1) is None


@pytest.mark.parametrize("code", ["", "abc", "12345", "1234567", "é" * 6, "٣" * 6])
def test_what_is_no_code_is_refused(code):
    assert authenticators.matching_step(RFC_SECRET, code, 59, None) is None


def test_a_code_may_be_typed_with_a_blank():
    assert authenticators.matching_step(RFC_SECRET, "287 082", 59, None) == 1


def test_recovery_codes_are_ten_different_ones_known_however_they_are_typed():
    codes = authenticators.recovery_codes()
    assert len(set(codes)) == 10
    assert authenticators.recovery_hash(codes[0]) == authenticators.recovery_hash(
        codes[0].upper().replace("-", " ")
    )


def test_a_secret_is_read_again_by_its_person_only_and_is_not_in_what_is_kept(tmp_path):
    vault = Vault(Settings(home=tmp_path))
    person = uuid4()
    secret = authenticators.new_secret()
    sealed = vault.seal(person, secret)
    assert Vault(Settings(home=tmp_path)).open(person, sealed) == secret
    assert secret.encode() not in sealed
    with pytest.raises(PeopleKeyUnusable):
        vault.open(uuid4(), sealed)
    assert (tmp_path / "keys" / "people-aes").stat().st_mode & 0o077 == 0


def test_a_key_from_outside_is_the_same_for_every_gateway_and_a_wrong_one_is_named(
    tmp_path,
):
    key = base64.b64encode(bytes(32)).decode()
    person = uuid4()
    sealed = Vault(Settings(home=tmp_path / "a", people_key=key)).seal(person, "x")
    assert (
        Vault(Settings(home=tmp_path / "b", people_key=key)).open(person, sealed) == "x"
    )
    assert not (tmp_path / "a").exists()
    for wrong in (base64.b64encode(b"1" * 32).decode(), "short", "no base64!"):
        with pytest.raises(PeopleKeyUnusable, match="SERA_PEOPLE_KEY"):
            Vault(Settings(home=tmp_path, people_key=wrong)).open(person, sealed)


def test_a_home_that_takes_no_key_is_named(tmp_path):
    (tmp_path / "keys").write_text("a file where the folder should be")
    with pytest.raises(PeopleKeyUnwritable, match="people-aes"):
        Vault(Settings(home=tmp_path)).seal(uuid4(), "x")
