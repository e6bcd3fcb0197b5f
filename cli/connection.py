"""How a command reaches the API: its address, a key, and problems turned into sentences."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import httpx2

from deploy.local.errors import StackNotRunning
from deploy.local.state import StackState
from shared.domain.roles import Role
from shared.errors import SeraError
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.ledger import Ledger

LOCAL_HOSPITAL = "local"
REQUEST_TIMEOUT_S = 60.0
RESTART_TIMEOUT_S = 30.0
RETRY_PAUSE_S = 0.5
RATE_LIMIT_TIMEOUT_S = 900.0
TOO_MANY = 429
AWAY = 503
IDEMPOTENCY_KEY_IN_USE = "idempotency-key-in-use"
INTERRUPTED_REQUEST_ERRORS = (
    httpx2.ReadError,
    httpx2.ReadTimeout,
    httpx2.WriteError,
    httpx2.WriteTimeout,
    httpx2.RemoteProtocolError,
)
"""Somebody took the call, and it is unknown whether the request came through."""


class ApiProblem(SeraError):
    """What the gateway refused, in its own words and with its own code."""

    text: ClassVar[str] = "{detail}"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail=detail)
        self.code = code


class Unreachable(SeraError):
    code = "api-unreachable"
    retryable = True
    text = (
        "SERA does not answer at {url}. Start it with `./sera up`, or set SERA_URL to "
        "where it runs."
    )


class NotSera(SeraError):
    code = "not-sera"
    text = (
        "What answers at {url} is not SERA, or a proxy before it (HTTP {status}). Set "
        "SERA_URL to where SERA runs."
    )


class KeyUnusable(SeraError):
    code = "key-unusable"
    text = (
        "SERA_KEY holds letters that no key has. Set it to the whole line that `./sera key "
        "create` printed."
    )


class ApiClient:
    """The gateway as one key sees it."""

    def __init__(self, url: str, key: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise KeyUnusable
        self.url = url
        self._met = False
        self._tag: str | None = None
        self._http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=REQUEST_TIMEOUT_S
        )

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Asks again for a while if SERA, having answered before, is away: it may be restarting."""
        return self._patiently("GET", path, params=parameters)

    def fetch_etag(self, path: str) -> str | None:
        """The ETag of what is there now: what a write names that is meant for just that."""
        self._patiently("GET", path)
        return self._tag

    def post(self, path: str, *, etag: str | None = None, **body: Any) -> Any:
        """`body` goes to httpx2: `json=`, or `data=` and `files=`."""
        return self._write("POST", path, etag, **body)

    def put(self, path: str, *, etag: str | None = None, **body: Any) -> Any:
        return self._write("PUT", path, etag, **body)

    def patch(self, path: str, *, etag: str | None = None, **body: Any) -> Any:
        return self._write("PATCH", path, etag, **body)

    def delete(self, path: str, *, etag: str | None = None, **parameters: Any) -> Any:
        return self._write("DELETE", path, etag, params=parameters)

    def _write(self, method: str, path: str, etag: str | None, **parts: Any) -> Any:
        """Under a key of its own, so that it may be sent again as `get` asks again, and is done
        once.
        """
        headers = {"Idempotency-Key": str(uuid4())} | ({"If-Match": etag} if etag else {})
        return self._patiently(method, path, headers=headers, **parts)

    def _patiently(self, method: str, path: str, **parts: Any) -> Any:
        began = time.monotonic()
        while True:
            try:
                return self._call(method, path, **parts)
            except Unreachable:
                if not self._met or time.monotonic() - began > RESTART_TIMEOUT_S:
                    raise
            time.sleep(RETRY_PAUSE_S)

    def _in_turn(self, method: str, path: str, **parts: Any) -> httpx2.Response:
        """The answer; one that asks to come again is waited for as it says, since nothing was done
        yet.
        """
        began = time.monotonic()
        while True:
            answer = self._asked(method, path, **parts)
            later = answer.headers.get("Retry-After", "")
            if not later.isdigit() or time.monotonic() - began > _patience_s(answer):
                return answer
            time.sleep(int(later))

    def _asked(self, method: str, path: str, **parts: Any) -> httpx2.Response:
        try:
            return self._http.request(method, path, **parts)
        except httpx2.TransportError as lost:
            self._met = self._met or isinstance(lost, INTERRUPTED_REQUEST_ERRORS)
            raise Unreachable(url=self.url) from lost

    def _call(self, method: str, path: str, **parts: Any) -> Any:
        answer = self._in_turn(method, path, **parts)
        told = _told(answer)
        self._met = True
        self._tag = answer.headers.get("ETag")
        if answer.is_success and told is not None:
            return told
        if isinstance(told, dict) and {"code", "detail"} <= set(told):
            raise ApiProblem(told["code"], told["detail"])
        raise NotSera(url=self.url, status=answer.status_code)


def _told(answer: httpx2.Response) -> Any:
    """What the answer says, or None if it is no JSON."""
    try:
        return answer.json()
    except ValueError:
        return None


def _patience_s(answer: httpx2.Response) -> float:
    """How long one comes again for this answer: in a queue, after a restart, or for the answer to
    what is under way.
    """
    if answer.status_code == TOO_MANY:
        return RATE_LIMIT_TIMEOUT_S
    told = _told(answer)
    under_way = isinstance(told, dict) and told.get("code") == IDEMPOTENCY_KEY_IN_USE
    return RESTART_TIMEOUT_S if under_way or answer.status_code == AWAY else 0.0


def connect(role: Role, settings: Settings | None = None) -> ApiClient:
    """The API with the key in SERA_KEY, else with a key of this machine's own stack."""
    settings = settings or Settings()
    return ApiClient(
        address(settings),
        os.environ.get("SERA_KEY", "").strip() or local_key(settings, role),
    )


def address(settings: Settings) -> str:
    """SERA_URL, else the running stack's, else this machine's port."""
    if told := os.environ.get("SERA_URL"):
        return told.rstrip("/")
    try:
        return StackState.load(settings.home).url or default_address(settings)
    except StackNotRunning:
        return default_address(settings)


def local_key(settings: Settings, role: Role) -> str:
    """The key this machine keeps for itself in $SERA_HOME/keys, made when first needed."""
    kept = settings.home / "keys" / role
    if kept.exists():
        return kept.read_text().strip()
    key = create_key(settings, role, LOCAL_HOSPITAL, f"{role} of this machine")
    write_secret(kept, key)
    return key


def create_key(
    settings: Settings,
    role: Role,
    hospital: str | None,
    label: str,
    expires_at: datetime | None = None,
) -> str:
    """Make a key in the ledger; the only time its secret is seen."""
    with open_ledger(settings) as ledger, ledger.system_session("cli") as session:
        return session.api_keys.create_text(
            role,
            session.hospitals.ensure(hospital) if hospital else None,
            label,
            expires_at,
        )


@contextmanager
def open_ledger(settings: Settings) -> Iterator["Ledger"]:
    """The database itself, as only who runs SERA reaches it."""
    url = (
        settings.database
        if settings.database_url
        else StackState.load(settings.home).database_url
    )
    # Here, for most commands ask the API alone, and the ledger takes as long to import as all else
    # together.
    from shared.ledger import Ledger

    ledger = Ledger(url, pool_size=1)
    try:
        yield ledger
    finally:
        ledger.close()


def default_address(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


def write_secret(path: Path, secret: str) -> None:
    """For our eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
    ) as out:
        out.write(secret + "\n")
