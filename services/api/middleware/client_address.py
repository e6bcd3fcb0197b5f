"""Provides the client's address of a request. The audit trail stores it with each event."""

from ipaddress import ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import SeraError
from shared.ledger.audit.repository import ORIGIN


class ProxiesUnusable(SeraError):
    code = "setting-invalid"
    text = (
        "SERA_TRUSTED_PROXIES holds {part!r}, which is no address or network. "
        "Write e.g. 10.0.0.5,192.168.1.0/24."
    )


class ClientAddress:
    """Middleware that passes the client's address to the audit trail during a request.

    uvicorn's `ProxyHeadersMiddleware` runs before it, so that the address is the client's and not a
    trusted proxy's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        token = ORIGIN.set(client_address(scope))
        try:
            await self._app(scope, receive, send)
        finally:
            ORIGIN.reset(token)


def client_address(scope: Scope) -> str | None:
    """Return the client's address, or None if a proxy forwards a text that is no address.

    Such a text may contain anything, even a patient's name, so it is never stored in the audit
    trail.
    """
    client = scope.get("client")
    host: str = client[0] if client else ""
    try:
        ip_address(host)
    except ValueError:
        return None
    return host


def trusted_hosts(setting: str) -> list[str]:
    """Return the addresses and networks of SERA_TRUSTED_PROXIES.

    Other texts are refused here, because uvicorn would treat them as host names.

    Raises
    ------
    ProxiesUnusable
    """
    hosts = [host.strip() for host in setting.split(",") if host.strip()]
    for host in hosts:
        try:
            ip_network(host)
        except ValueError as error:
            raise ProxiesUnusable(part=host) from error
    return hosts
