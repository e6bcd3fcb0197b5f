"""An app under uvicorn on a real socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from services.api.http_protocol import HeaderLimitProtocol


@contextmanager
def served(
    app: ASGIApp,
    door: socket.socket,
    protocol: type[HeaderLimitProtocol] = HeaderLimitProtocol,
) -> Iterator[None]:
    """Serve on a listening socket, from entry to exit."""
    config = uvicorn.Config(app, http=protocol, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def at_an_address(app: ASGIApp) -> Iterator[str]:
    """The same on a port of its own; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as door, served(app, door):
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
