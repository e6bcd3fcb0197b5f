"""The keys that a ledger needs and that are not in it: the one that seals its trail, the one of authenticators.

They are left out of a backup unless it is asked for: whoever holds both could seal a changed trail anew and read the
secrets of second factors.
"""

import hashlib
from pathlib import Path

from shared.backup.folder import write_private
from shared.errors import SeraError
from shared.security.key_files import decode_key
from shared.settings import Settings

FOLDER = "keys"
NAMES = {"audit-ed25519": "audit_key", "people-aes": "people_key"}
"""The file below $SERA_HOME/keys, and the setting that stands in for it."""
COSTS = {
    "audit-ed25519": "the audit trail goes on under a new key",
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
    """The keys that are here, by the name of their file."""
    found = {name: _text(settings, name) for name in NAMES}
    return {name: text for name, text in found.items() if text}


def fingerprints(keys: dict[str, str]) -> dict[str, str]:
    """A hash of 256 random bits tells nothing of them."""
    return {
        name: hashlib.sha256(decode_key(text)).hexdigest()
        for name, text in sorted(keys.items())
    }


def save_keys(keys: dict[str, str], folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in keys.items():
        write_private(folder / name, text.strip() + "\n")


def read_saved_keys(folder: Path) -> dict[str, str]:
    return {
        name: (folder / name).read_text() for name in NAMES if (folder / name).is_file()
    }


def plan_keys(
    settings: Settings, required: dict[str, str], backup: Path, allow_missing: bool
) -> tuple[dict[str, str], list[str]]:
    """The keys that the backup can bring home, and those that stay lacking. Raises KeysMissing unless `without`."""
    here = fingerprints(available_keys(settings))
    lacking = [name for name, digest in required.items() if here.get(name) != digest]
    brought = {
        name: text
        for name, text in read_saved_keys(backup / FOLDER).items()
        if name in lacking and name not in here
    }
    still = [name for name in lacking if name not in brought]
    if still and not allow_missing:
        costs = "; ".join(COSTS[name] for name in still)
        raise KeysMissing(
            names=" and ".join(still), folder=settings.home / FOLDER, costs=costs
        )
    return brought, still


def _text(settings: Settings, name: str) -> str | None:
    told = getattr(settings, NAMES[name])
    path = settings.home / FOLDER / name
    return (
        told.get_secret_value()
        if told
        else path.read_text()
        if path.is_file()
        else None
    )
