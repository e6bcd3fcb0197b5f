"""The gateway and a worker with an object store that stops answering or resets connections."""

import time
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer

from services.worker.inference.preparation import Preparation
from shared.imaging import Framing
from shared.objects import open_store
from tests.support.app import create_app
from tests.support.builders import form, png
from tests.support.tcp_proxy import Line, proxied

BOUND_S = 8.0
"""The store may be silent for one second; the rest is reserve for busy machines."""

RETRIES = 5
"""On a busy machine a store that answers may take longer than its second, and a client tries again.
"""


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def line(moto):
    with proxied(moto) as proxy:
        yield proxy


@pytest.fixture
def url(line):
    return f"s3://KEY:SECRET@{line.endpoint}/images?timeout_s=1"


@pytest.fixture
def north(settings, url, make_key):
    remote = type(settings)(**settings.model_dump() | {"objects_url": url})
    headers = {"Authorization": f"Bearer {make_key()}"}
    with TestClient(
        create_app(remote), headers=headers, raise_server_exceptions=False
    ) as client:
        yield client


def accepted(client, body, headers=None):
    """The receipt of a case that the store took at one of some tries, else nothing."""
    for _ in range(RETRIES):
        answer = client.post("/v1/cases", **body, headers=headers)
        if answer.status_code == 202:
            return answer.json()
        assert answer.json()["code"] == "objects-unavailable"
    return None


@pytest.mark.parametrize("fault", [Line.SILENT, Line.RESET])
def test_a_case_is_refused_in_time_and_accepted_once_the_store_answers_again(
    north, line, fault
):
    assert accepted(north, form())
    line.line = fault
    start = time.monotonic()
    image = png(5)
    answer = north.post("/v1/cases", **form(image), headers={"Idempotency-Key": "k"})
    assert time.monotonic() - start < BOUND_S
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (
        503,
        "objects-unavailable",
        True,
    )
    assert int(answer.headers["Retry-After"]) >= 1
    ready = north.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "ok")
    assert "object store cannot be used" in ready.json()["checks"]["objects"]
    assert north.get("/healthz").status_code == 200
    line.line = Line.GOOD
    assert any(north.get("/readyz").status_code == 200 for _ in range(RETRIES))
    assert accepted(north, form(image), headers={"Idempotency-Key": "k"})
    assert len(north.get("/v1/jobs").json()["jobs"]) == 2


class Served:
    """The part of a served model that the preparation needs."""

    class bundle:
        framing = Framing(0.1)


def test_a_worker_without_the_store_gives_jobs_back_without_an_attempt(
    north, line, url, ledger, decoders
):
    receipts = [accepted(north, form(png(seed))) for seed in (1, 2)]
    line.line = Line.SILENT
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 8, timedelta(minutes=1), 5)
    batch = Preparation(open_store(url), decoders).prepare(lease, Served, lambda: None)
    assert (len(batch.unreached_jobs), batch.prepared_jobs, batch.failures) == (
        2,
        [],
        {},
    )
    with ledger.system_session("w") as session:
        session.queue.give_back(batch.token, batch.unreached_jobs, timedelta())
    jobs = [north.get(receipt["links"]["job"]).json() for receipt in receipts]
    assert [(job["state"], job["attempts"]) for job in jobs] == [("queued", 0)] * 2
