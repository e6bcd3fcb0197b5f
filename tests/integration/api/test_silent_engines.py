"""Engines that are stopped, not ended: they take what they are sent and never respond."""

import signal
from contextlib import contextmanager

import httpx2
import psutil
import pytest

from deploy.local import EmbeddedEngines
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.ledger.schema.migrate import migrate
from shared.settings import Settings
from tests.support.builders import form, png
from tests.support.gateway_process import gateway_of

PATIENCE_S = 45.0
"""Every answer comes within it: far less than a stopped engine lasts, far more than is needed."""
READY_S = 10.0
"""A busy machine may need longer than the 2 s that are promised. A check that waited for the engine
would need longer than this."""


@pytest.fixture(scope="module")
def silent_engines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    with EmbeddedEngines(folder, durable=False) as running:
        migrate(running.database_url)
        yield running


@pytest.fixture(scope="module")
def gateway_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def client(silent_engines, gateway_home):
    settings = Settings(
        home=gateway_home,
        database_url=silent_engines.database_url,
        broker_url=silent_engines.broker_url,
        objects_url=(gateway_home / "objects").as_uri(),
        statement_timeout_s=2,
    )
    ledger = Ledger(settings.database)
    with ledger.system_session("test") as session:
        key = session.api_keys.create_text(
            Role.SUBMITTER, session.hospitals.ensure("north"), "test"
        )
    ledger.close()
    headers = {"Authorization": f"Bearer {key}"}
    with (
        gateway_of(settings) as gateway,
        httpx2.Client(
            base_url=gateway.url, headers=headers, timeout=PATIENCE_S
        ) as client,
    ):
        yield client


@contextmanager
def stopped(engines: EmbeddedEngines, name: str):
    """Stop an engine with all its processes meanwhile."""
    server = psutil.Process(engines.state.pids[name])
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


def submit(client, seed):
    return client.post("/v1/cases", **form(png(seed)))


def test_every_request_is_answered_while_postgresql_is_stopped(client, silent_engines):
    job_id = submit(client, 1).json()["job_id"]
    with stopped(silent_engines, "postgres"):
        ready = client.get("/readyz", timeout=READY_S)
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert "has not responded" in ready.json()["checks"]["database"]
        answers = [
            client.get("/v1/session"),
            submit(client, 2),
            client.get(f"/v1/jobs/{job_id}"),
        ]
        assert client.get("/healthz").status_code == 200
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.json()["code"] for answer in answers} == {"unavailable"}
    assert client.get("/v1/session").status_code == 200
    assert submit(client, 2).status_code == 202


def test_a_submission_does_not_wait_for_a_stopped_valkey(client, silent_engines):
    with stopped(silent_engines, "valkey"):
        for seed in range(10, 13):
            assert submit(client, seed).status_code == 202
        ready = client.get("/readyz", timeout=READY_S)
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert "has not responded" in ready.json()["degraded"]["broker"]
