"""An app under uvicorn on a real socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def served(app: ASGIApp, door: socket.socket) -> Iterator[None]:
    """Serve on a listening socket, from entry to exit."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
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
