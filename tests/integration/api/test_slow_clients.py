"""A client that keeps a connection busy for nothing, on a real socket."""

import json
import select
import socket
from contextlib import contextmanager

import pytest

from tests.support.app import create_app
from tests.support.http_server import served

STALL_S = 0.3
MIN_BYTES_PER_S = 100_000
BOUNDARY = "nodule"


@pytest.fixture
def listening(settings):
    """The gateway under uvicorn, quick to lose patience; its port."""
    hasty = settings.model_copy(
        update={"body_stall_s": STALL_S, "least_body_bytes_per_s": MIN_BYTES_PER_S}
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        served(create_app(hasty), door),
    ):
        yield door.getsockname()[1]


@contextmanager
def begun(port, key, length):
    """A submission whose head and first bytes are sent."""
    head = (
        f"POST /v1/cases HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: "
        f"{length}\r\n\r\n"
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(head.encode())
        yield line


def answer(line):
    """Status, headers and problem, read until the gateway closes."""
    sent = b""
    while part := line.recv(65536):
        sent += part
    head, _, body = sent.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body)


def too_slow(line):
    status, head, problem = answer(line)
    assert (status, problem["code"], problem["retryable"]) == (408, "too-slow", True)
    assert all(
        header in head for header in (b"connection: close", b"retry-after", b"nosniff")
    )


def test_a_client_that_stops_is_cut_off(listening, make_key):
    with begun(listening, make_key(), 100_000) as line:
        too_slow(line)


def test_a_client_that_dribbles_is_cut_off_although_it_never_stops(listening, make_key):
    with begun(listening, make_key(), 10_000_00) as line:
        while not select.select([line], [], [], STALL_S / 10)[0]:
            line.sendall(b"x")
        too_slow(line)


def test_others_are_served_meanwhile(listening, make_key):
    key = make_key()
    with begun(listening, key, 100_000) as slow:
        with socket.create_connection(("127.0.0.1", listening), timeout=10) as line:
            line.sendall(
                f"GET /v1/jobs HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {key}\r\nConnection: "
                "close\r\n\r\n".encode()
            )
            assert answer(line)[0] == 200
        too_slow(slow)
