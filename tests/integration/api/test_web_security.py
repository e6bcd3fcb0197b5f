import json
import logging
from io import StringIO

import pytest
import structlog
from fastapi.testclient import TestClient

from services.api.middleware.security_headers import DEFAULT_HEADERS
from shared.domain.roles import Role
from shared.observability import logs
from tests.support.app import create_app
from tests.support.builders import form

STRANGE = {
    "Origin": "https://elsewhere.example",
    "Access-Control-Request-Method": "POST",
}
PATHS = (
    "/",
    "/sign-in",
    "/static/reader.js",
    "/static/session.js",
    "/v1/session",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/v1/jobs",
    "/v1/hospital",
    "/nowhere",
)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_tells_browsers_to_guess_frame_leak_and_keep_nothing(
    north, gateway, path
):
    for client in (north, gateway):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] in ("no-store", "no-cache")
        assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("path", ["/", "/sign-in"])
def test_a_page_runs_its_own_scripts_and_no_inline_ones(gateway, path):
    page = gateway.get(path)
    policy = page.headers["Content-Security-Policy"]
    modules = '<script type="module" src="/static/'
    words = '<script type="application/json" id="words">'
    assert (
        page.text.count("<script")
        == page.text.count(modules) + page.text.count(words)
        > 1
    )
    assert not any(
        word in page.text for word in ("style=", "onclick", "onsubmit", "javascript:")
    )
    assert ("script-src 'self'" in policy, "unsafe" in policy) == (True, False)


def test_an_answer_may_say_itself_how_long_it_is_good(as_role):
    assert (
        as_role(Role.OPERATOR).get("/v1/monitoring/drift").headers["Cache-Control"]
        == "private, max-age=30"
    )


def test_refusals_carry_the_headers_too(north, gateway):
    refused = (
        gateway.get("/v1/jobs"),
        north.get("/v1/hospitals"),
        north.post("/v1/cases", content=b"x" * 2_000_000),
    )
    assert [answer.status_code for answer in refused] == [401, 403, 413]
    for answer in refused:
        assert {name: answer.headers[name] for name in DEFAULT_HEADERS} == DEFAULT_HEADERS


@pytest.mark.parametrize(
    ("url", "told"), [("https://sera.example", True), ("http://sera.example", False)]
)
def test_behind_tls_browsers_are_told_to_come_by_nothing_else(settings, url, told):
    with TestClient(
        create_app(settings.model_copy(update={"public_url": url}))
    ) as gateway:
        assert ("Strict-Transport-Security" in gateway.get("/healthz").headers) is told


@pytest.mark.parametrize(
    "path", ["/", "/v1/cases", "/v1/jobs", "/v1/hospital", "/metrics"]
)
def test_no_page_of_another_origin_may_read_anything(north, path):
    for answer in (
        north.get(path, headers=STRANGE),
        north.options(path, headers=STRANGE),
    ):
        assert [
            name for name in answer.headers if name.startswith("access-control")
        ] == []


@pytest.fixture
def broken(settings):
    """A gateway whose database has lost its tables' most recent column."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        with app.state.dependencies.ledger.engine.begin() as line:
            line.exec_driver_sql("ALTER TABLE cases DROP COLUMN device")
        yield client


@pytest.fixture
def logs_of_the_service(monkeypatch):
    """Logs as the service writes them, all that any library has to say among it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("api", "DEBUG")
    (handler,) = root.handlers
    handler.setStream(written := StringIO())
    monkeypatch.setattr(
        logging, "raiseExceptions", False
    )  # pytest's own handlers, which `configure` has closed
    monkeypatch.setattr(
        logging.getLogger("httpx2"), "disabled", True
    )  # the hospital's own side
    yield written
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_an_error_of_ours_shows_no_trace_and_logs_no_secret(
    broken, make_key, logs_of_the_service
):
    key = make_key()
    answer = broken.post(
        "/v1/cases?key=in-the-query",
        **form(external_id="A-secret-7"),
        headers={"Authorization": f"Bearer {key}", "Cookie": "session=in-a-cookie"},
    )
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert not any(
        word in answer.text
        for word in ("Traceback", "File ", "psycopg", "INSERT", "device")
    )
    assert {name: answer.headers[name] for name in DEFAULT_HEADERS} == DEFAULT_HEADERS
    lines = logs_of_the_service.getvalue().splitlines()
    (failed,) = [
        told for told in map(json.loads, lines) if told["event"] == "api.failed"
    ]
    assert "UndefinedColumn" in failed["exception"]
    assert failed["request_id"] == answer.headers["X-Request-Id"]
    logged = "".join(lines)
    secret = key.rsplit("_", 1)[1]
    assert [
        word
        for word in (secret, "in-the-query", "in-a-cookie", "A-secret-7")
        if word in logged
    ] == []
