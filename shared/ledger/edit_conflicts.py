"""Detects that two people edit the same thing: a write that is based on an older state is refused.

Each editable thing has an ETag that changes with it. A write may name the ETags of the states that
it may change. They are compared under the lock of the write, in its transaction.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import SeraError

ETags = frozenset[str] | None
"""The ETags of the states that a write may change; None means any state."""
ANY = "*"


class EditConflict(SeraError):
    code = "changed-meanwhile"
    status = 412
    text = (
        "{what} Nothing of this request was done. Read it again, and send the change with the "
        "new ETag if it holds."
    )


def check_tags(etags: ETags, present: str, describe: Callable[[], str]) -> None:
    """Raise EditConflict if the write is meant for another state than `present`.

    `describe` returns a sentence about the change in between.
    """
    if etags is not None and present not in etags and ANY not in etags:
        raise EditConflict(what=describe())


def settings_tag(settings: Mapping[str, Any]) -> str:
    """A tag with one part for each setting, so that two tags show which settings differ."""
    parts = []
    for name, value in settings.items():
        digest = hashlib.sha256(f"{name}={value!r}".encode())
        parts.append(digest.hexdigest()[:8])
    return ".".join(parts)


def changed_settings(settings: Mapping[str, Any], etags: ETags) -> list[str]:
    """Names of the settings that differ from the nearest of the tags.

    Empty if none of the tags belongs to these settings.
    """
    present_parts = settings_tag(settings).split(".")
    differences: list[list[str]] = []
    for etag in etags or ():
        earlier_parts = etag.split(".")
        if len(earlier_parts) != len(present_parts):
            continue
        pairs = zip(settings, present_parts, earlier_parts, strict=True)
        changed = [name for name, present, earlier in pairs if present != earlier]
        differences.append(changed)
    return min(differences, key=len, default=[])
