"""Creates, lists, rotates and revokes keys, for an operator or a hospital's administrator."""

from datetime import timedelta

from services.api.dependencies import CallerSession
from services.api.hospitals.lookup import Names, find_hospital_id, hospital_name
from services.api.keys import schemas
from services.api.keys.schemas import KeyView, NewKeyView
from shared.errors import Conflict
from shared.ledger.hospitals.api_keys import ApiKey, NewApiKey
from shared.ledger.hospitals.repository import Caller


class KeyShownOnce(Conflict):
    """Error for a repeated request that created a key.

    The response cannot contain the secret, because the secret is stored nowhere. It is an error
    because a program would otherwise use a response without the secret as a key.
    """

    code = "key-shown-once"
    text = (
        "This request came before: it made the key {key}, which was shown in its answer and is not "
        "kept. If that answer"
        " was lost, revoke the key (DELETE /v1/keys/{key}) and make another under a new "
        "Idempotency-Key."
    )


class KeyService:
    """Manages the keys of the caller's hospital, or all keys if the caller belongs to no
    hospital.
    """

    def __init__(self, session: CallerSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def all(self) -> list[KeyView]:
        """Return keys, newest first."""
        names = self._names()
        return [key_view(key, names) for key in self._session.api_keys.all()]

    def create(self, new: schemas.NewKey) -> NewKeyView:
        """Create a key. Raises HospitalUnknown, KeyNeedsHospital, Forbidden."""
        names = self._names()
        hospital = find_hospital_id(new.hospital, names, self._caller)
        expires_at = self._session.api_keys.now() + timedelta(days=new.expires_days)
        key = self._session.api_keys.create(new.role, hospital, new.label, expires_at)
        return new_key_view(key, names)

    def rotate(self, key_id: str, overlap_days: int) -> NewKeyView:
        """Create the successor of a key. Raises KeyUnknown, KeyEnded."""
        key = self._session.api_keys.rotate(key_id, timedelta(days=overlap_days))
        return new_key_view(key, self._names())

    def revoke(self, key_id: str) -> KeyView:
        """End a key. Raises KeyUnknown."""
        key = self._session.api_keys.revoke(key_id)
        return key_view(key, self._names())

    def _names(self) -> Names:
        return self._session.observations.hospitals()


def key_view(key: ApiKey, names: Names) -> KeyView:
    return KeyView(
        id=key.id,
        role=key.role,
        hospital=hospital_name(key.hospital_id, names),
        label=key.label,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        replaced_by=key.replaced_by,
    )


def new_key_view(new: NewApiKey, names: Names) -> NewKeyView:
    fields = key_view(new.key, names).model_dump()
    return NewKeyView(**fields, key=new.text)
