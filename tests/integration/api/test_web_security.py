import json
import logging
from io import StringIO

import pytest
import structlog
from fastapi.testclient import TestClient

from services.api.middleware.security_headers import DEFAULT_HEADERS
from shared.domain.roles import Role
from shared.observability import logs
from shared.observability.logs import configure_stderr
from tests.support.app import create_app
from tests.support.builders import form

FOREIGN_ORIGIN = {
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
def test_every_answer_has_the_security_headers(north, gateway, path):
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
    script_tag = '<script type="module" src="/static/'
    translations = '<script type="application/json" id="words">'
    assert (
        page.text.count("<script")
        == page.text.count(script_tag) + page.text.count(translations)
        > 1
    )
    assert not any(
        fragment in page.text
        for fragment in ("style=", "onclick", "onsubmit", "javascript:")
    )
    assert ("script-src 'self'" in policy, "unsafe" in policy) == (True, False)


def test_an_answer_may_set_its_own_cache_lifetime(as_role):
    assert (
        as_role(Role.OPERATOR).get("/v1/monitoring/drift").headers["Cache-Control"]
        == "private, max-age=30"
    )


def test_refusals_have_the_security_headers(north, gateway):
    refused = (
        gateway.get("/v1/jobs"),
        north.get("/v1/hospitals"),
        north.post("/v1/cases", content=b"x" * 2_000_000),
    )
    assert [answer.status_code for answer in refused] == [401, 403, 413]
    for answer in refused:
        assert {
            name: answer.headers[name] for name in DEFAULT_HEADERS
        } == DEFAULT_HEADERS


@pytest.mark.parametrize(
    ("url", "has_hsts"),
    [("https://sera.example", True), ("http://sera.example", False)],
)
def test_hsts_is_sent_only_behind_tls(settings, url, has_hsts):
    with TestClient(
        create_app(settings.model_copy(update={"public_url": url}))
    ) as gateway:
        assert (
            "Strict-Transport-Security" in gateway.get("/healthz").headers
        ) is has_hsts


@pytest.mark.parametrize(
    "path", ["/", "/v1/cases", "/v1/jobs", "/v1/hospital", "/metrics"]
)
def test_no_cors_header_is_sent(north, path):
    for answer in (
        north.get(path, headers=FOREIGN_ORIGIN),
        north.options(path, headers=FOREIGN_ORIGIN),
    ):
        assert [
            name for name in answer.headers if name.startswith("access-control")
        ] == []


@pytest.fixture
def broken_client(settings):
    """A gateway whose database lacks a column."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        with app.state.dependencies.ledger.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE cases DROP COLUMN device")
        yield client


@pytest.fixture
def logs_of_the_service(monkeypatch):
    """The log as the service writes it, including the messages of libraries."""
    root = logging.getLogger()
    handlers_before = root.handlers[:]
    level_before = root.level
    logs.configure("api", "DEBUG")
    (handler,) = root.handlers
    log_stream = StringIO()
    handler.setStream(log_stream)
    monkeypatch.setattr(
        logging, "raiseExceptions", False
    )  # for pytest's handlers, which `configure` closes
    monkeypatch.setattr(
        logging.getLogger("httpx2"), "disabled", True
    )  # the client of this test
    yield log_stream
    root.handlers[:] = handlers_before
    root.setLevel(level_before)
    structlog.contextvars.clear_contextvars()
    configure_stderr()


def test_a_server_error_shows_no_traceback_and_logs_no_secret(
    broken_client, make_key, logs_of_the_service
):
    key = make_key()
    answer = broken_client.post(
        "/v1/cases?key=in-the-query",
        **form(external_id="A-secret-7"),
        headers={"Authorization": f"Bearer {key}", "Cookie": "session=in-a-cookie"},
    )
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert not any(
        secret_text in answer.text
        for secret_text in ("Traceback", "File ", "psycopg", "INSERT", "device")
    )
    assert {name: answer.headers[name] for name in DEFAULT_HEADERS} == DEFAULT_HEADERS
    lines = logs_of_the_service.getvalue().splitlines()
    (failed,) = [
        event for event in map(json.loads, lines) if event["event"] == "api.failed"
    ]
    assert "UndefinedColumn" in failed["exception"]
    assert failed["request_id"] == answer.headers["X-Request-Id"]
    logged = "".join(lines)
    key_secret = key.rsplit("_", 1)[1]
    assert [
        secret_text
        for secret_text in (key_secret, "in-the-query", "in-a-cookie", "A-secret-7")
        if secret_text in logged
    ] == []
