"""Two people edit the same thing: whose word is about what stood there before is refused.

What is edited has a tag that changes with it. Who writes may name the tags that the write is meant for; they are
compared under the lock of the write, in its transaction.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import SeraError

ETags = frozenset[str] | None
"""Those that a write is meant for; None: whatever stands there."""
ANY = "*"


class EditConflict(SeraError):
    code = "changed-meanwhile"
    status = 412
    text = "{what} Nothing of this request was done. Read it again, and send the change with the new ETag if it holds."


def check_tags(tags: ETags, present: str, what: Callable[[], str]) -> None:
    """Raise ChangedMeanwhile if the write is meant for another state; `what` says what came between."""
    if tags is not None and present not in tags and ANY not in tags:
        raise EditConflict(what=what())


def settings_tag(settings: Mapping[str, Any]) -> str:
    """A word for settings in which each has its own place, so that two such words tell what differs."""
    return ".".join(
        hashlib.sha256(f"{name}={value!r}".encode()).hexdigest()[:8]
        for name, value in settings.items()
    )


def changed_settings(settings: Mapping[str, Any], tags: ETags) -> list[str]:
    """Names of the settings that are not as in the nearest of the tags; none if no tag is of these settings."""
    present = settings_tag(settings).split(".")
    told = [tag.split(".") for tag in tags or ()]
    found = [
        [
            name
            for name, now, then in zip(settings, present, each, strict=True)
            if now != then
        ]
        for each in told
        if len(each) == len(present)
    ]
    return min(found, key=len, default=[])
