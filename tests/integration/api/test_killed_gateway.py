"""kill -9 of a gateway during uploads: no partial file remains; repeats create one case each."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.e2e.stage import until
from tests.support.builders import form, png
from tests.support.gateway_process import gateway_of

CLIENTS = 4
ANSWERS_BEFORE_KILL = 8
HALF_BYTES = 2 << 20
"""More bytes than Starlette buffers in memory, but less than the announced length."""


@pytest.fixture
def gateway(settings):
    with gateway_of(settings) as running:
        yield running


@pytest.fixture
def north(gateway, make_key):
    headers = {"Authorization": f"Bearer {make_key()}"}
    with httpx2.Client(base_url=gateway.url, headers=headers, timeout=30) as client:
        yield client


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def begin_upload(gateway, key):
    """Send half of an upload; the gateway then has it in an unnamed temporary file."""
    head = (
        f"POST /v1/cases HTTP/1.1\r\nHost: sera\r\nAuthorization: {key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {2 * HALF_BYTES}\r\n\r\n"
        f'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    )
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    connection.sendall(head.encode() + b"x" * HALF_BYTES)
    until(lambda: holds_a_temporary_file(gateway))
    return connection


def holds_a_temporary_file(gateway):
    """Whether the process has an open temporary file. No folder lists it."""
    links = Path(f"/proc/{gateway.process.pid}/fd").iterdir()
    return any(str(gateway.temporary) in os.readlink(link) for link in links)


def test_a_gateway_killed_during_uploads_leaves_no_partial_file_and_repeats_create_one_case_each(
    gateway, north
):
    connection = begin_upload(gateway, north.headers["Authorization"])
    answers = {}
    enough_answers = threading.Event()

    def send(number):
        key = {"Idempotency-Key": f"case {number}"}
        with suppress(httpx2.TransportError):
            answers[number] = north.post(
                "/v1/cases", **form(png(number % 5)), headers=key
            )
        if len(answers) >= ANSWERS_BEFORE_KILL:
            enough_answers.set()

    with ThreadPoolExecutor(CLIENTS) as pool:
        uploads = [
            pool.submit(send, number) for number in range(4 * ANSWERS_BEFORE_KILL)
        ]
        assert enough_answers.wait(60)
        gateway.kill()
        for upload in uploads:
            upload.result()
    connection.close()
    accepted_jobs = {
        number: answer.json()["job_id"]
        for number, answer in answers.items()
        if answer.status_code == 202
    }
    assert ANSWERS_BEFORE_KILL <= len(accepted_jobs) < 4 * ANSWERS_BEFORE_KILL
    gateway.start()
    assert (
        files(gateway.temporary) == files(gateway.folder / "objects" / ".partial") == []
    )
    answers.clear()
    for number in range(4 * ANSWERS_BEFORE_KILL):
        send(number)
    final_jobs = {number: answer.json()["job_id"] for number, answer in answers.items()}
    assert final_jobs | accepted_jobs == final_jobs
    jobs = north.get("/v1/jobs", params={"limit": 200}).json()["jobs"]
    assert sorted(job["job_id"] for job in jobs) == sorted(final_jobs.values())
