"""The address a request comes from: the audit trail keeps it beside each event."""

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
    """Middleware that names the client's address to the audit trail during a request.

    uvicorn's `ProxyHeadersMiddleware` goes around it: the address is then that of the
    client behind a trusted proxy.
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
    """The client's address; None where a proxy forwards a text that is none.

    Such a text may be anything, a patient's name too, so it never gets into the audit
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
    """The addresses and networks of SERA_TRUSTED_PROXIES.

    uvicorn takes what is neither for the name of a host, so it is refused here.

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
