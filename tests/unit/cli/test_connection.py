import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from cli import connection
from cli.app import main
from cli.connection import ApiClient, ApiProblem, Unreachable


class Restarting(BaseHTTPRequestHandler):
    """Answers, hangs up twice without a word, and answers again."""

    requests = 0

    def do_GET(self) -> None:
        Restarting.requests += 1
        if Restarting.requests in (2, 3):
            return
        body = b'{"asked": %d}' % Restarting.requests
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Crowded(BaseHTTPRequestHandler):
    """Sends everybody away twice; at one address without saying until when."""

    requests = 0

    def do_GET(self) -> None:
        Crowded.requests += 1
        body = (
            b'{"code": "rate-limited", "detail": "Too many."}'
            if Crowded.requests != 3
            else b'{"asked": 3}'
        )
        self.send_response(200 if Crowded.requests == 3 else 429)
        self.send_header("Content-Length", str(len(body)))
        if self.path != "/for-ever":
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Unsteady(BaseHTTPRequestHandler):
    """Takes a write and hangs up, is away, has it under way, and then answers it; keeps what it was
    sent.
    """

    sent: ClassVar[list[tuple]] = []
    answers = ((503, "unavailable"), (409, "idempotency-key-in-use"), (201, "done"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.sent.append(
            (self.headers["Idempotency-Key"], self.headers["If-Match"], body)
        )
        if len(self.sent) == 1:
            return
        status, code = self.answers[len(self.sent) - 2]
        result = b'{"code": "%s", "detail": "."}' % code.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(result)))
        if status != 201:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(result)

    def log_message(self, *_: object) -> None:
        pass


class Hostile(BaseHTTPRequestHandler):
    """Answers with what a terminal would obey, and asks to be waited for."""

    retry_after = ""
    requests = 0

    def do_GET(self) -> None:
        Hostile.requests += 1
        body = json.dumps({"code": "no\x1b]0;x\x07", "detail": "\x1b[2J\x9b1mgone"})
        self.send_response(403 if not self.retry_after else 503)
        self.send_header("Content-Length", str(len(body)))
        if self.retry_after:
            self.send_header("Retry-After", self.retry_after)
        self.end_headers()
        self.wfile.write(body.encode())

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
    Restarting.requests = 0
    with serving(Restarting) as url, ApiClient(url, "key") as api:
        assert [api.get("/a"), api.get("/b")] == [{"asked": 1}, {"asked": 4}]


def test_where_too_many_ask_one_comes_back_when_told_to():
    Crowded.requests = 0
    with serving(Crowded) as url, ApiClient(url, "key") as api:
        assert api.get("/cases") == {"asked": 3}


def test_a_refusal_that_says_no_time_is_told_at_once():
    Crowded.requests = 0
    with (
        serving(Crowded) as url,
        ApiClient(url, "key") as api,
        pytest.raises(ApiProblem, match="Too many"),
    ):
        api.get("/for-ever")
    assert Crowded.requests == 1


def test_a_write_is_sent_again_under_its_key_until_it_is_answered():
    with serving(Unsteady) as url, ApiClient(url, "key") as api:
        assert api.post("/v1/x", etag='"7"', json={"a": 1})["code"] == "done"
        assert len(Unsteady.sent) == 4
        ((key, tag, body),) = set(Unsteady.sent)
        assert (len(key), tag, body) == (36, '"7"', b'{"a":1}')


def test_a_server_that_never_answered_is_not_waited_for():
    with (
        ApiClient("http://127.0.0.1:1", "key") as api,
        pytest.raises(Unreachable, match=r"\./sera up"),
    ):
        api.get("/a")


def test_an_answer_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Hostile, "retry_after", "")
    monkeypatch.setattr("sys.argv", ["sera", "models", "list"])
    monkeypatch.setenv("SERA_KEY", "key")
    with serving(Hostile) as url:
        monkeypatch.setenv("SERA_URL", url)
        with pytest.raises(SystemExit):
            main()
    output = capsys.readouterr().err
    assert "gone" in output
    assert output.replace("\n", "").isprintable()


@pytest.mark.parametrize("retry_after", ["86400", "9" * 40, "\u00b2", "-1", "1e3"])
def test_no_server_is_waited_for_as_long_as_it_likes(
    monkeypatch: pytest.MonkeyPatch, retry_after: str
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Hostile, "retry_after", retry_after)
    monkeypatch.setattr(connection, "RESTART_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connection.time, "sleep", pauses.append)
    with (
        serving(Hostile) as url,
        ApiClient(url, "key") as api,
        pytest.raises(ApiProblem, match="gone"),
    ):
        api.get("/a")
    assert all(pause <= 0.5 for pause in pauses)
