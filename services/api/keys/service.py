"""Makes, lists, rotates and revokes keys, for an operator or a hospital's administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from services.api.dependencies import Wiring
from services.api.keys import schemas
from services.api.keys.schemas import KeyView, NewKeyView
from shared.domain.roles import Role
from shared.errors import Forbidden
from shared.ledger.hospitals import Caller, HospitalUnknown
from shared.ledger.keys import Key, Keys, NewKey

Names = dict[UUID, str]


class KeyDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def all(self) -> list[KeyView]:
        """Newest first."""
        with self._open() as (keys, names):
            return [KeyView(**told(key, names)) for key in keys.all()]

    def make(self, new: schemas.NewKey) -> NewKeyView:
        """Raises HospitalUnknown, KeyNeedsHospital, Forbidden."""
        with self._open() as (keys, names):
            until = keys.now() + timedelta(days=new.expires_days)
            hospital = self._named(new.hospital, names) if new.hospital else None
            return shown(keys.make(new.role, hospital, new.label, until), names)

    def rotate(self, key_id: str, overlap_days: int) -> NewKeyView:
        """Raises KeyUnknown, KeyEnded."""
        with self._open() as (keys, names):
            return shown(keys.rotate(key_id, timedelta(days=overlap_days)), names)

    def revoke(self, key_id: str) -> KeyView:
        """Raises KeyUnknown."""
        with self._open() as (keys, names):
            return KeyView(**told(keys.revoke(key_id), names))

    def _named(self, name: str, names: Names) -> UUID:
        """Another hospital's name is answered as one that nobody has."""
        for hospital, known in names.items():
            if known == name:
                return hospital
        if self._who.hospital_id:
            raise Forbidden(role=self._who.role, needed=Role.OPERATOR)
        raise HospitalUnknown(name=name)

    @contextmanager
    def _open(self) -> Iterator[tuple[Keys, Names]]:
        """The keys that the caller may see, and the names of their hospitals."""
        if self._who.hospital_id:
            with self._wired.ledger.scoped(self._who.hospital_id, self._who.actor) as book:
                yield book.keys, book.observations.hospitals()
        else:
            with self._wired.ledger.whole(self._who.actor) as house:
                yield house.keys, house.observations.hospitals()


def told(key: Key, names: Names) -> dict[str, object]:
    facts = {name: value for name, value in vars(key).items() if name != "hospital_id"}
    return facts | {"hospital": names.get(key.hospital_id)}


def shown(new: NewKey, names: Names) -> NewKeyView:
    return NewKeyView(**told(new.key, names), key=new.text)
