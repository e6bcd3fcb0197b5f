"""Makes, lists, rotates and revokes keys, for an operator or a hospital's administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from services.api.dependencies import Wiring
from services.api.hospitals.named import Names, name_of, named
from services.api.keys import schemas
from services.api.keys.schemas import KeyView, NewKeyView
from shared.errors import Conflict
from shared.ledger.hospitals import Caller
from shared.ledger.keys import Key, Keys, NewKey


class KeyShownOnce(Conflict):
    """Neither the secret, which nobody has, nor a success without one, which a program would take for a key."""

    code = "key-shown-once"
    text = (
        "This request came before: it made the key {key}, which was shown in its answer and is not kept. If that answer"
        " was lost, revoke the key (DELETE /v1/keys/{key}) and make another under a new Idempotency-Key."
    )


class KeyDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def all(self) -> list[KeyView]:
        """Newest first."""
        with self._open() as (keys, names):
            return [view(key, names) for key in keys.all()]

    def make(self, new: schemas.NewKey) -> NewKeyView:
        """Raises HospitalUnknown, KeyNeedsHospital, Forbidden."""
        with self._open() as (keys, names):
            until = keys.now() + timedelta(days=new.expires_days)
            hospital = named(new.hospital, names, self._who)
            return shown(keys.make(new.role, hospital, new.label, until), names)

    def rotate(self, key_id: str, overlap_days: int) -> NewKeyView:
        """Raises KeyUnknown, KeyEnded."""
        with self._open() as (keys, names):
            return shown(keys.rotate(key_id, timedelta(days=overlap_days)), names)

    def revoke(self, key_id: str) -> KeyView:
        """Raises KeyUnknown."""
        with self._open() as (keys, names):
            return view(keys.revoke(key_id), names)

    @contextmanager
    def _open(self) -> Iterator[tuple[Keys, Names]]:
        """The keys that the caller may see, and the names of their hospitals."""
        if self._who.hospital_id:
            with self._wired.ledger.hospital_session(
                self._who.hospital_id, self._who.actor
            ) as hospital_session:
                yield hospital_session.keys, hospital_session.observations.hospitals()
        else:
            with self._wired.ledger.system_session(self._who.actor) as system_session:
                yield system_session.keys, system_session.observations.hospitals()


def view(key: Key, names: Names) -> KeyView:
    return KeyView(
        id=key.id,
        role=key.role,
        hospital=name_of(key.hospital_id, names),
        label=key.label,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        replaced_by=key.replaced_by,
    )


def shown(new: NewKey, names: Names) -> NewKeyView:
    return NewKeyView(**view(new.key, names).model_dump(), key=new.text)
