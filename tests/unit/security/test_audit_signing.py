import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from shared.domain.audit.chain import NO_PREVIOUS_HASH, Seal
from shared.security.audit_signing import (
    SealKey,
    SealKeyUnusable,
    SealKeyUnwritable,
    is_signed,
    seal_key,
    seal_key_file,
)
from shared.settings import Settings

SECRET = base64.b64encode(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
).decode()
PUBLIC = base64.b64encode(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
).decode()
"""Test vector 1 of RFC 8032, section 7.1."""


def make_seal(key: SealKey) -> Seal:
    unsigned = Seal(
        chain="house",
        seal=1,
        number=7,
        hash="a" * 64,
        at="2026-01-01T00:00:00.000000Z",
        previous=NO_PREVIOUS_HASH,
        key=key.public,
    )
    return replace(unsigned, signature=key.sign(unsigned.signed_bytes))


def test_the_key_of_the_standards_test_vector_has_its_public_half_and_signature():
    key = SealKey(SECRET, "here")
    assert key.public == PUBLIC
    signature = base64.b64decode(key.sign(b"")).hex()
    assert signature.startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")


def test_a_seal_is_valid_until_anything_in_it_changes():
    seal = make_seal(SealKey(SECRET, "here"))
    assert is_signed(seal)
    other_key = SealKey(base64.b64encode(b"k" * 32).decode(), "here").public
    changes = {
        "number": 8,
        "chain": "x",
        "at": "later",
        "key": other_key,
        "signature": "",
        "hash": "b",
    }
    for name, value in changes.items():
        assert not is_signed(replace(seal, **{name: value}))


@pytest.mark.parametrize("key", ["", "no base64!", base64.b64encode(b"short").decode()])
def test_a_seal_that_names_no_key_is_not_valid(key):
    assert not is_signed(replace(make_seal(SealKey(SECRET, "here")), key=key))


def test_the_machines_key_is_created_once_and_readable_for_its_owner_only(
    tmp_path,
):
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(4) as pool:
        assert len({key.public for key in pool.map(seal_key, [settings] * 8)}) == 1
    assert seal_key_file(settings).stat().st_mode & 0o777 == 0o600
    folder = seal_key_file(settings).parent
    assert [path.name for path in folder.iterdir()] == ["audit-ed25519"]


def test_a_key_in_the_settings_is_used_and_none_is_created(tmp_path):
    settings = Settings(home=tmp_path, audit_key=SECRET)
    assert seal_key(settings).public == PUBLIC
    assert not seal_key_file(settings).exists()


def test_the_error_of_an_invalid_key_names_its_place(tmp_path):
    with pytest.raises(SealKeyUnusable, match="SERA_AUDIT_KEY"):
        seal_key(Settings(home=tmp_path, audit_key="word"))
    settings = Settings(home=tmp_path)
    seal_key_file(settings).parent.mkdir()
    seal_key_file(settings).write_text("word")
    with pytest.raises(SealKeyUnusable, match="audit-ed25519"):
        seal_key(settings)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "keys").write_text("a file stands in the way")
    with pytest.raises(SealKeyUnwritable, match="SERA_AUDIT_KEY"):
        seal_key(Settings(home=tmp_path))
