"""How a command reaches the API: its address, a key, and problems turned into sentences."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx2

from deploy.local.errors import StackNotRunning
from deploy.local.state import StackState
from shared.domain.roles import Role
from shared.errors import SeraError
from shared.ledger import Ledger
from shared.settings import Settings

LOCAL_HOSPITAL = "local"
PATIENCE_S = 60.0
RESTART_S, RETRY_S = 30.0, 0.5
TOO_MANY, QUEUE_S = 429, 900.0


class ApiProblem(SeraError):
    """What the gateway refused, in its own words and with its own code."""

    text: ClassVar[str] = "{detail}"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail=detail)
        self.code = code


class Unreachable(SeraError):
    code = "api-unreachable"
    retryable = True
    text = "SERA does not answer at {url}. Start it with `./sera up`, or set SERA_URL to where it runs."


class NotSera(SeraError):
    code = "not-sera"
    text = "What answers at {url} is not SERA, or a proxy before it (HTTP {status}). Set SERA_URL to where SERA runs."


class KeyUnusable(SeraError):
    code = "key-unusable"
    text = "SERA_KEY holds letters that no key has. Set it to the whole line that `./sera key create` printed."


class Api:
    """The gateway as one key sees it."""

    def __init__(self, url: str, key: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise KeyUnusable
        self.url, self._met = url, False
        self._http = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE_S)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Asks again for a while if SERA, having answered before, is away: it may be restarting."""
        return self._patiently("GET", path, params=parameters)

    def post(self, path: str, *, repeatable: bool = False, **body: Any) -> Any:
        """`body` goes to httpx2: `json=`, or `data=` and `files=`. A `repeatable` one is sent again as `get` asks."""
        return self._patiently("POST", path, **body) if repeatable else self._call("POST", path, **body)

    def put(self, path: str, **body: Any) -> Any:
        return self._call("PUT", path, **body)

    def delete(self, path: str, **parameters: Any) -> Any:
        return self._call("DELETE", path, params=parameters)

    def _patiently(self, method: str, path: str, **parts: Any) -> Any:
        until = time.monotonic() + (RESTART_S if self._met else 0.0)
        while True:
            try:
                return self._call(method, path, **parts)
            except Unreachable:
                if time.monotonic() > until:
                    raise
            time.sleep(RETRY_S)

    def patch(self, path: str, **body: Any) -> Any:
        return self._call("PATCH", path, **body)

    def _in_turn(self, method: str, path: str, **parts: Any) -> httpx2.Response:
        """The answer; one that says "too many" is waited for as it asks, since nothing was done yet."""
        until = time.monotonic() + QUEUE_S
        while True:
            try:
                answer = self._http.request(method, path, **parts)
            except httpx2.TransportError as lost:
                raise Unreachable(url=self.url) from lost
            later = answer.headers.get("Retry-After", "")
            if answer.status_code != TOO_MANY or not later.isdigit() or time.monotonic() > until:
                return answer
            time.sleep(int(later))

    def _call(self, method: str, path: str, **parts: Any) -> Any:
        answer = self._in_turn(method, path, **parts)
        told, self._met = _told(answer), True
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


def connect(role: Role, settings: Settings | None = None) -> Api:
    """The API with the key in SERA_KEY, else with a key of this machine's own stack."""
    settings = settings or Settings()
    return Api(address(settings), os.environ.get("SERA_KEY", "").strip() or local_key(settings, role))


def address(settings: Settings) -> str:
    """SERA_URL, else the running stack's, else this machine's port."""
    if told := os.environ.get("SERA_URL"):
        return told.rstrip("/")
    try:
        return StackState.load(settings.home).url or _own(settings)
    except StackNotRunning:
        return _own(settings)


def local_key(settings: Settings, role: Role) -> str:
    """The key this machine keeps for itself in $SERA_HOME/keys, made when first needed."""
    kept = settings.home / "keys" / role
    if kept.exists():
        return kept.read_text().strip()
    key = create_key(settings, role, LOCAL_HOSPITAL, f"{role} of this machine")
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_secret(kept, key)
    return key


def create_key(
    settings: Settings, role: Role, hospital: str | None, label: str, expires_at: datetime | None = None
) -> str:
    """Make a key in the ledger; the only time its secret is seen."""
    with open_ledger(settings) as ledger, ledger.whole("cli") as house:
        return house.keys.create(role, house.hospitals.ensure(hospital) if hospital else None, label, expires_at)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """The database itself, as only who runs SERA reaches it."""
    url = settings.database if settings.database_url else StackState.load(settings.home).database_url
    ledger = Ledger(url, pool_size=1)
    try:
        yield ledger
    finally:
        ledger.close()


def _own(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


def _write_secret(path: Path, secret: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(secret + "\n")
