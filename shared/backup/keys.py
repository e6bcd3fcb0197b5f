"""Backs up the keys outside the ledger: for the audit seals and for the authenticators.

A backup contains them only on request. A person with the ledger and the keys could
seal a changed audit trail again, and decrypt the secrets of second factors.
"""

import hashlib
from pathlib import Path

from pydantic import SecretStr

from shared.backup.folder import write_private
from shared.errors import SeraError
from shared.security.key_files import decode_key
from shared.settings import Settings

KEYS_FOLDER = "keys"
SEAL_KEY_FILE = "audit-ed25519"
SETTING_BY_KEY_FILE = {SEAL_KEY_FILE: "audit_key", "people-aes": "people_key"}
"""Each key's file in $SERA_HOME/keys, and the setting that replaces the file."""
LOSS_TEXTS = {
    SEAL_KEY_FILE: "the audit trail goes on under a new key",
    "people-aes": "whoever has an authenticator needs a reset",
}


class KeysMissing(SeraError):
    code = "backup-keys-missing"
    text = (
        "The ledger of this backup needs {names}, which are neither here as they were then nor in "
        "the backup. Put them into {folder} (or SERA_AUDIT_KEY, SERA_PEOPLE_KEY) and restore "
        "again; or add --without-keys: {costs}."
    )


def available_keys(settings: Settings) -> dict[str, str]:
    """Return the keys of this installation, by the name of their file."""
    texts = {name: _key_text(settings, name) for name in SETTING_BY_KEY_FILE}
    return {name: text for name, text in texts.items() if text}


def fingerprints(keys: dict[str, str]) -> dict[str, str]:
    """Return SHA-256 hashes. The hash of 256 random bits reveals nothing about the key."""
    hashes = {}
    for name, text in sorted(keys.items()):
        hashes[name] = hashlib.sha256(decode_key(text)).hexdigest()
    return hashes


def save_keys(keys: dict[str, str], folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in keys.items():
        write_private(folder / name, text.strip() + "\n")


def read_saved_keys(folder: Path) -> dict[str, str]:
    """Return the keys in a backup. A file that holds no key is left out."""
    keys = {}
    for name in SETTING_BY_KEY_FILE:
        path = folder / name
        if path.is_file() and _is_key(path.read_text()):
            keys[name] = path.read_text()
    return keys


def plan_keys(
    settings: Settings, required: dict[str, str], backup: Path, allow_missing: bool
) -> tuple[dict[str, str], list[str]]:
    """Return the keys to restore from the backup, and the names of the keys that stay missing.

    `required` has the fingerprints in the manifest. A key in the backup that is another one is not
    restored.
    Raises KeysMissing if keys stay missing, unless `allow_missing`.
    """
    present = fingerprints(available_keys(settings))
    absent = [name for name, digest in required.items() if present.get(name) != digest]
    saved = read_saved_keys(backup / KEYS_FOLDER)
    saved_digests = fingerprints(saved)
    restorable = {
        name: text
        for name, text in saved.items()
        if name in absent
        and name not in present
        and saved_digests[name] == required[name]
    }
    missing = [name for name in absent if name not in restorable]
    if missing and not allow_missing:
        costs = "; ".join(LOSS_TEXTS[name] for name in missing)
        raise KeysMissing(
            names=" and ".join(missing), folder=settings.home / KEYS_FOLDER, costs=costs
        )
    return restorable, missing


def _is_key(text: str) -> bool:
    try:
        decode_key(text)
    except ValueError:
        return False
    return True


def _key_text(settings: Settings, name: str) -> str | None:
    setting: SecretStr | None = getattr(settings, SETTING_BY_KEY_FILE[name])
    if setting:
        return setting.get_secret_value()
    path = settings.home / KEYS_FOLDER / name
    return path.read_text() if path.is_file() else None
