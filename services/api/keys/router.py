"""Routes of API keys. A hospital's administrator manages its own keys, an operator all keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from services.api.dependencies import CallerSessionDep, KeyAdministrator
from services.api.keys.schemas import KeyView, NewKey, NewKeyView, Rotation
from services.api.keys.service import KeyService, KeyShownOnce
from services.api.middleware.idempotency import answer_repeats_with

router = APIRouter(prefix="/v1", tags=["keys"])


def key_service(caller: KeyAdministrator, session: CallerSessionDep) -> KeyService:
    return KeyService(session, caller)


KeyServiceDep = Annotated[KeyService, Depends(key_service)]
KeyId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{12}$", description="A key's id.", examples=["0123456789ab"]
    ),
]


def forbid_caching(response: Response) -> None:
    """No cache on the way may store an answer with a secret."""
    response.headers["Cache-Control"] = "no-store"


def shown_once(key: NewKeyView, request: Request) -> NewKeyView:
    """Answer repeats with the key's id, and with what to do if the first answer was lost."""
    answer_repeats_with(request, KeyShownOnce(key=key.id), {"key_id": key.id})
    return key


@router.get("/keys")
def list_keys(service: KeyServiceDep) -> list[KeyView]:
    """Keys, newest first, also ended ones. A hospital's administrator sees its own hospital's."""
    return service.all()


@router.post("/keys", status_code=201, dependencies=[Depends(forbid_caching)])
def create_key(new: NewKey, service: KeyServiceDep, request: Request) -> NewKeyView:
    """Create a key. Only this answer shows it: a repeat is answered 409 with the key's id."""
    return shown_once(service.create(new), request)


@router.post(
    "/keys/{key_id}/rotate", status_code=201, dependencies=[Depends(forbid_caching)]
)
def rotate_key(
    key_id: KeyId,
    service: KeyServiceDep,
    request: Request,
    rotation: Rotation | None = None,
) -> NewKeyView:
    """Create the successor of a key. The old key stays valid for the overlap, and is replaced only
    once.
    """
    rotation = rotation or Rotation()
    new_key = service.rotate(key_id, rotation.overlap_days)
    return shown_once(new_key, request)


@router.delete("/keys/{key_id}")
def revoke_key(key_id: KeyId, service: KeyServiceDep) -> KeyView:
    """End a key: the next request with it is refused. Repeating this is harmless."""
    return service.revoke(key_id)
