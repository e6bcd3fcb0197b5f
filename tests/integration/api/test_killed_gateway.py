"""kill -9 of a gateway while it takes uploads: nothing half remains, and sending again makes one
case of each."""

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
KILLED_AFTER = 8
HALF = 2 << 20
"""More than is kept in memory, less than the body that is announced."""


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
    """The first half of an upload, which is on the gateway's disk by now, in a file of no name."""
    head = (
        f"POST /v1/cases HTTP/1.1\r\nHost: sera\r\nAuthorization: {key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {2 * HALF}\r\n\r\n"
        f'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    )
    line = socket.create_connection(("127.0.0.1", gateway.port))
    line.sendall(head.encode() + b"x" * HALF)
    until(lambda: holds_a_temporary_file(gateway))
    return line


def holds_a_temporary_file(gateway):
    """Whether the process has one open; no folder lists it."""
    links = Path(f"/proc/{gateway.process.pid}/fd").iterdir()
    return any(str(gateway.temporary) in os.readlink(link) for link in links)


def test_a_gateway_killed_with_uploads_under_way_leaves_nothing_and_takes_each_once(
    gateway, north
):
    line = begin_upload(gateway, north.headers["Authorization"])
    answers = {}
    is_enough = threading.Event()

    def send(number):
        key = {"Idempotency-Key": f"case {number}"}
        with suppress(httpx2.TransportError):
            answers[number] = north.post(
                "/v1/cases", **form(png(number % 5)), headers=key
            )
        if len(answers) >= KILLED_AFTER:
            is_enough.set()

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = [pool.submit(send, number) for number in range(4 * KILLED_AFTER)]
        assert is_enough.wait(60)
        gateway.kill()
        for item in sent:
            item.result()
    line.close()
    table = {
        number: answer.json()["job_id"]
        for number, answer in answers.items()
        if answer.status_code == 202
    }
    assert KILLED_AFTER <= len(table) < 4 * KILLED_AFTER
    gateway.start()
    assert (
        files(gateway.temporary) == files(gateway.folder / "objects" / ".partial") == []
    )
    answers.clear()
    for number in range(4 * KILLED_AFTER):
        send(number)
    second_table = {
        number: answer.json()["job_id"] for number, answer in answers.items()
    }
    assert second_table | table == second_table
    jobs = north.get("/v1/jobs", params={"limit": 200}).json()["jobs"]
    assert sorted(job["job_id"] for job in jobs) == sorted(second_table.values())
