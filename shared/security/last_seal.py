"""Keeps the last seal of the audit trail outside the database: in the key folder and the objects.

Whoever owns the tables can remove seals or begin their series anew, but reaches neither place.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from shared.domain.audit.series import Witness
from shared.objects import ObjectStore
from shared.settings import Settings

NAME = "audit-last-seal"
FILE_PLACE = "the key folder"
OBJECT_PLACE = "the object store"


class LastSealPlace(Protocol):
    """A place for the line of one witness."""

    def read(self) -> Witness | None:
        """None if nothing was put down. Raises WitnessUnreadable, Unavailable, OSError."""
        ...

    def write(self, witness: Witness | None) -> None:
        """Replace what is there; None leaves nothing. Raises Unavailable, OSError."""
        ...


class KeyFolderPlace:
    """A file beside the sealing key."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.home / "keys" / NAME

    def read(self) -> Witness | None:
        if not self._path.exists():
            return None
        return _parse(self._path.read_text(errors="replace"), FILE_PLACE)

    def write(self, witness: Witness | None) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace_file(self._path, _line(witness))


class ObjectStorePlace:
    """An entry of the object store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def read(self) -> Witness | None:
        line = self._objects.get_named(NAME) or b""
        return _parse(line.decode(errors="replace"), OBJECT_PLACE)

    def write(self, witness: Witness | None) -> None:
        self._objects.put_named(NAME, _line(witness).encode())


def last_seal_places(
    settings: Settings, objects: ObjectStore
) -> tuple[LastSealPlace, ...]:
    return KeyFolderPlace(settings), ObjectStorePlace(objects)


def read_witnesses(places: Iterable[LastSealPlace]) -> list[Witness]:
    """What the places have. Raises WitnessUnreadable, Unavailable, OSError."""
    witnesses = [place.read() for place in places]
    return [witness for witness in witnesses if witness]


def _line(witness: Witness | None) -> str:
    return f"{witness}\n" if witness else ""


def _parse(line: str, place: str) -> Witness | None:
    return Witness.parse(line, place) if line else None


def _replace_file(path: Path, text: str) -> None:
    """Replace the file atomically, for its owner only."""
    draft = path.with_name(f".{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
