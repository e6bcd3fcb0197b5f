"""Routes of API keys. An administrator manages the keys of one hospital, an operator all keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from services.api.dependencies import CallerSessionDep, KeyAdministrator
from services.api.keys.schemas import KeyView, NewKey, NewKeyView, Rotation
from services.api.keys.service import KeyService, KeyShownOnce
from services.api.middleware.idempotency import answer_repeats_with
from services.api.strict_requests import StrictRoute

router = APIRouter(route_class=StrictRoute, prefix="/v1", tags=["keys"])


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
    """Forbid caches to store the response, because it contains a secret."""
    response.headers["Cache-Control"] = "no-store"


def shown_once(key: NewKeyView, request: Request) -> NewKeyView:
    """Replace the stored response for repeated requests by an error that names the key's id and the
    next step.
    """
    answer_repeats_with(request, KeyShownOnce(key=key.id), {"key_id": key.id})
    return key


@router.get("/keys")
def list_keys(service: KeyServiceDep) -> list[KeyView]:
    """Return keys, newest first, including ended keys. A hospital's administrator sees only the
    keys of that hospital.
    """
    return service.all()


@router.post("/keys", status_code=201, dependencies=[Depends(forbid_caching)])
def create_key(new: NewKey, service: KeyServiceDep, request: Request) -> NewKeyView:
    """Create a key. Only this response contains the key. A repeated request gets status 409 with
    the key's id.
    """
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
    """Create the successor of a key. The old key stays valid during the overlap. A key can be
    replaced only once.
    """
    rotation = rotation or Rotation()
    new_key = service.rotate(key_id, rotation.overlap_days)
    return shown_once(new_key, request)


@router.delete("/keys/{key_id}")
def revoke_key(key_id: KeyId, service: KeyServiceDep) -> KeyView:
    """End a key. The next request with this key is refused. A repeated request changes nothing."""
    return service.revoke(key_id)
