"""Connects commands to the gateway: its address, an API key, and errors with a
readable sentence.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Unpack, cast
from uuid import uuid4

import httpx2

from deploy.local.errors import StackNotRunning
from deploy.local.state import StackState
from shared.domain.roles import Role
from shared.errors import SeraError
from shared.http_types import JsonObject, QueryValue, RequestParts, RequestWithHeaders
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.ledger import Ledger

LOCAL_HOSPITAL = "local"
REQUEST_TIMEOUT_S = 60.0
RESTART_TIMEOUT_S = 30.0
"""How long a command waits for a gateway that restarts."""
RETRY_PAUSE_S = 0.5
RATE_LIMIT_TIMEOUT_S = 900.0
"""How long a command waits in the queue of a rate-limited gateway."""
SECONDS = re.compile("[0-9]{1,9}")
IDEMPOTENCY_KEY_IN_USE = "idempotency-key-in-use"
INTERRUPTED_REQUEST_ERRORS = (
    httpx2.ReadError,
    httpx2.ReadTimeout,
    httpx2.WriteError,
    httpx2.WriteTimeout,
    httpx2.RemoteProtocolError,
)
"""The server accepted the connection, but nobody knows whether the request was handled."""


class ApiProblem(SeraError):
    """The gateway refused a request. The error has the code and the sentence of the response."""

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
    """An HTTP client of the gateway that authenticates with one API key.

    If SERA responded before and is now unreachable, every method repeats its request for a while,
    because SERA may be restarting.
    """

    def __init__(self, url: str, key: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise KeyUnusable
        self.url = url
        self._has_answered = False
        self._etag: str | None = None
        self._http = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=REQUEST_TIMEOUT_S,
        )

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **parameters: QueryValue) -> JsonObject:
        answer = self._request_with_restarts("GET", path, params=parameters)
        return cast(JsonObject, answer)

    def get_list(self, path: str, **parameters: QueryValue) -> list[JsonObject]:
        """Like `get`, for addresses whose response is a list of objects."""
        answer = self._request_with_restarts("GET", path, params=parameters)
        return cast(list[JsonObject], answer)

    def fetch_etag(self, path: str) -> str | None:
        """Return the current ETag of a resource, for a write that must not
        overwrite a newer one.
        """
        self._request_with_restarts("GET", path)
        return self._etag

    def post(
        self, path: str, *, etag: str | None = None, **parts: Unpack[RequestParts]
    ) -> JsonObject:
        """Send a body in the form that httpx2 expects: `json=`, or `data=` and `files=`."""
        return self._write("POST", path, etag, **parts)

    def put(
        self, path: str, *, etag: str | None = None, **parts: Unpack[RequestParts]
    ) -> JsonObject:
        return self._write("PUT", path, etag, **parts)

    def patch(
        self, path: str, *, etag: str | None = None, **parts: Unpack[RequestParts]
    ) -> JsonObject:
        return self._write("PATCH", path, etag, **parts)

    def delete(
        self, path: str, *, etag: str | None = None, **parameters: QueryValue
    ) -> JsonObject:
        return self._write("DELETE", path, etag, params=parameters)

    def _write(
        self, method: str, path: str, etag: str | None, **parts: Unpack[RequestParts]
    ) -> JsonObject:
        """Send a write with its own idempotency key, so that a repetition takes
        effect only once.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        if etag:
            headers["If-Match"] = etag
        answer = self._request_with_restarts(method, path, headers=headers, **parts)
        return cast(JsonObject, answer)

    def _request_with_restarts(
        self, method: str, path: str, **request: Unpack[RequestWithHeaders]
    ) -> object:
        started = time.monotonic()
        while True:
            try:
                return self._request(method, path, **request)
            except Unreachable:
                timed_out = time.monotonic() - started > RESTART_TIMEOUT_S
                if timed_out or not self._has_answered:
                    raise
            time.sleep(RETRY_PAUSE_S)

    def _request(
        self, method: str, path: str, **request: Unpack[RequestWithHeaders]
    ) -> object:
        response = self._send_with_retry_after(method, path, **request)
        body = _parse_json(response)
        self._has_answered = True
        self._etag = response.headers.get("ETag")
        if response.is_success and body is not None:
            return body
        if isinstance(body, dict) and {"code", "detail"} <= set(body):
            raise ApiProblem(code=body["code"], detail=body["detail"])
        raise NotSera(url=self.url, status=response.status_code)

    def _send_with_retry_after(
        self, method: str, path: str, **request: Unpack[RequestWithHeaders]
    ) -> httpx2.Response:
        """Send a request, and repeat it while the response has a `Retry-After` header.

        With this header the gateway has not acted on the request.
        """
        started = time.monotonic()
        while True:
            response = self._send(method, path, **request)
            retry_after = response.headers.get("Retry-After", "")
            left_s = _retry_timeout_s(response) - (time.monotonic() - started)
            if not SECONDS.fullmatch(retry_after) or left_s < 0:
                return response
            time.sleep(min(int(retry_after), left_s))

    def _send(
        self, method: str, path: str, **request: Unpack[RequestWithHeaders]
    ) -> httpx2.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx2.TransportError as error:
            if isinstance(error, INTERRUPTED_REQUEST_ERRORS):
                self._has_answered = True
            raise Unreachable(url=self.url) from error


def _parse_json(response: httpx2.Response) -> object:
    """Return the decoded body, or None if it is not JSON."""
    try:
        body: object = response.json()
    except (ValueError, RecursionError):
        return None
    return body


def _retry_timeout_s(response: httpx2.Response) -> float:
    """Return how long to repeat a request that got this response.

    The longest time is for a rate limit. For a restarting gateway, and for a request with the same
    idempotency key that is still being handled, it is the duration of a restart.
    """
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return RATE_LIMIT_TIMEOUT_S
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return RESTART_TIMEOUT_S
    body = _parse_json(response)
    if isinstance(body, dict) and body.get("code") == IDEMPOTENCY_KEY_IN_USE:
        return RESTART_TIMEOUT_S
    return 0.0


def connect(role: Role, settings: Settings | None = None) -> ApiClient:
    """Open the API with the key in SERA_KEY, else with a key of this machine's own stack."""
    settings = settings or Settings()
    url = address(settings)
    key = os.environ.get("SERA_KEY", "").strip() or local_key(settings, role)
    return ApiClient(url, key)


def address(settings: Settings) -> str:
    """Return the gateway's URL: SERA_URL, else the URL of the running stack, else the URL with this
    machine's port.
    """
    if url := os.environ.get("SERA_URL"):
        return url.rstrip("/")
    try:
        return StackState.load(settings.home).url or default_address(settings)
    except StackNotRunning:
        return default_address(settings)


def local_key(settings: Settings, role: Role) -> str:
    """Return the key of this machine in $SERA_HOME/keys. It is created when it is first needed."""
    path = settings.home / "keys" / role
    if path.exists():
        return path.read_text().strip()
    key = create_key(
        settings, role, hospital=LOCAL_HOSPITAL, label=f"{role} of this machine"
    )
    write_secret(path, key)
    return key


def create_key(
    settings: Settings,
    role: Role,
    hospital: str | None,
    label: str,
    expires_at: datetime | None = None,
) -> str:
    """Create a key in the ledger and return it. Its secret cannot be read again later."""
    with open_ledger(settings) as ledger, ledger.system_session("cli") as session:
        hospital_id = session.hospitals.ensure(hospital) if hospital else None
        return session.api_keys.create_text(role, hospital_id, label, expires_at)


@contextmanager
def open_ledger(settings: Settings) -> Iterator["Ledger"]:
    """Connect to the database directly, which only the operator of this installation can do."""
    if settings.database_url:
        url = settings.database
    else:
        url = StackState.load(settings.home).database_url
    # Imported here because most commands only use the API, and the ledger takes as long to import
    # as everything else together.
    from shared.ledger import Ledger

    ledger = Ledger(url, pool_size=1)
    try:
        yield ledger
    finally:
        ledger.close()


def objects_url(settings: Settings) -> str:
    """The address of the object store, which belongs to the database of `open_ledger`."""
    if settings.database_url:
        return settings.objects
    return StackState.load(settings.home).objects_url


def default_address(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


def write_secret(path: Path, secret: str) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
