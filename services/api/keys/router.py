"""API keys: a hospital's administrator keeps those of its staff, an operator all."""

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


def unstored(response: Response) -> None:
    """What holds a secret is kept by nobody on the way."""
    response.headers["Cache-Control"] = "no-store"


def shown_once(made: NewKeyView, request: Request) -> NewKeyView:
    """A repeat is told the key's id and what to do if the answer was lost."""
    answer_repeats_with(request, KeyShownOnce(key=made.id), key_id=made.id)
    return made


@router.get("/keys")
def list_keys(service: KeyServiceDep) -> list[KeyView]:
    """Newest first, ended ones too; a hospital's administrator sees its own hospital's."""
    return service.all()


@router.post("/keys", status_code=201, dependencies=[Depends(unstored)])
def create_key(new: NewKey, service: KeyServiceDep, request: Request) -> NewKeyView:
    """Make a key. The answer is the only time that it is shown: a repeat is answered 409 with the key's id."""
    return shown_once(service.make(new), request)


@router.post("/keys/{key_id}/rotate", status_code=201, dependencies=[Depends(unstored)])
def rotate_key(
    key_id: KeyId,
    service: KeyServiceDep,
    request: Request,
    rotation: Rotation | None = None,
) -> NewKeyView:
    """Make a key's successor; the old one is good for the overlap still, and is replaced only once."""
    return shown_once(
        service.rotate(key_id, (rotation or Rotation()).overlap_days), request
    )


@router.delete("/keys/{key_id}")
def revoke_key(key_id: KeyId, service: KeyServiceDep) -> KeyView:
    """End a key: the next request with it is refused. Again is harmless."""
    return service.revoke(key_id)
