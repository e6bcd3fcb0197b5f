"""`python -m services.api`: the gateway under uvicorn."""

import sys

import uvicorn

from services.api.app import create_app
from services.api.free_memory import limit_arenas
from services.api.http_protocol import HeaderLimitProtocol
from shared.ledger.schema.compatibility import check_schema
from shared.observability import logs, tracing
from shared.security.production_checks import refuse_unsafe
from shared.settings import Settings

KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep an idle connection. Otherwise the server could close a
connection just as a client sends on it, and the client would see an error."""
SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes keeps Python's lock while others want it, a tenth of the default.
A quick request takes the lock some ten times, and would wait for a costly one each time."""


def main() -> None:
    limit_arenas()
    settings = refuse_unsafe(Settings())
    logs.configure("api", settings.log_level)
    tracing.configure("api", settings)
    check_schema(settings.database)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the app has the same middleware, with SERA_TRUSTED_PROXIES
        server_header=False,
        http=HeaderLimitProtocol,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
