import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.connection import Api, Unreachable


class Restarting(BaseHTTPRequestHandler):
    """Answers, hangs up twice without a word, and answers again."""

    asked = 0

    def do_GET(self) -> None:
        Restarting.asked += 1
        if Restarting.asked in (2, 3):
            return
        body = b'{"asked": %d}' % Restarting.asked
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_that_restarts_meanwhile_is_asked_again():
    Restarting.asked = 0
    with serving(Restarting) as url, Api(url, "key") as api:
        assert [api.get("/a"), api.get("/b")] == [{"asked": 1}, {"asked": 4}]


def test_a_server_that_never_answered_is_not_waited_for():
    with Api("http://127.0.0.1:1", "key") as api, pytest.raises(Unreachable, match=r"\./sera up"):
        api.get("/a")
