"""From where a request comes: the address that the audit trail keeps beside each event."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import SeraError
from shared.ledger.audit.repository import ORIGIN

Network = IPv4Network | IPv6Network


class ProxiesUnusable(SeraError):
    code = "setting-invalid"
    text = "SERA_TRUSTED_PROXIES holds {part!r}, which is no address or network. Write e.g. 10.0.0.5,192.168.1.0/24."


class Whence:
    """Tells the audit trail, for as long as a request is answered, where it came from."""

    def __init__(self, app: ASGIApp, proxies: Sequence[Network]) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        token = ORIGIN.set(origin(scope, self._proxies))
        try:
            await self._app(scope, receive, send)
        finally:
            ORIGIN.reset(token)


def origin(scope: Scope, proxies: Sequence[Network]) -> str | None:
    """The nearest address that is no trusted proxy: read from the right, for what is left of it anybody can invent."""
    nearest: str | None = scope["client"][0] if scope.get("client") else None
    if nearest is None or not _trusted(nearest, proxies):
        return nearest
    for told in reversed(_forwarded(scope)):
        if not _address(told):
            return nearest
        nearest = told
        if not _trusted(told, proxies):
            break
    return nearest


def networks(setting: str) -> list[Network]:
    """Those of SERA_TRUSTED_PROXIES."""
    return [_network(part.strip()) for part in setting.split(",") if part.strip()]


def _network(part: str) -> Network:
    try:
        return ip_network(part)
    except ValueError as error:
        raise ProxiesUnusable(part=part) from error


def _forwarded(scope: Scope) -> list[str]:
    told = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
    return [part.strip() for part in told.split(",") if part.strip()]


def _trusted(told: str, proxies: Sequence[Network]) -> bool:
    address = _address(told)
    return address is not None and any(address in network for network in proxies)


def _address(told: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(told)
    except ValueError:
        return None
