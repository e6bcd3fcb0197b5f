"""Clients that send too slowly, on a real socket."""

import json
import select
import socket
from contextlib import ExitStack, contextmanager

import pytest

from services.api.http_protocol import HeaderLimitProtocol
from shared.observability.metrics import REGISTRY
from tests.support.app import create_app
from tests.support.http_server import served

STALL_S = 0.3
MIN_BYTES_PER_S = 100_000
BOUNDARY = "nodule"


@pytest.fixture
def listening(settings):
    """The port of a gateway under uvicorn with short time limits."""
    impatient = settings.model_copy(
        update={"body_stall_s": STALL_S, "least_body_bytes_per_s": MIN_BYTES_PER_S}
    )
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        served(create_app(impatient), listener),
    ):
        yield listener.getsockname()[1]


@contextmanager
def begin_submission(port, key, length):
    """Send the head and the first bytes of a submission."""
    head = (
        f"POST /v1/cases HTTP/1.1\r\nHost: sera\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: "
        f"{length}\r\n\r\n"
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(head.encode())
        yield line


def read_answer(line):
    """Read until the gateway closes; return status, headers and problem."""
    received = b""
    while chunk := line.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body)


def check_too_slow(line):
    status, head, problem = read_answer(line)
    assert (status, problem["code"], problem["retryable"]) == (408, "too-slow", True)
    assert all(
        header in head for header in (b"connection: close", b"retry-after", b"nosniff")
    )


def test_a_client_that_stops_sending_is_disconnected(listening, make_key):
    with begin_submission(listening, make_key(), 100_000) as line:
        check_too_slow(line)


def test_a_client_that_sends_too_slowly_is_disconnected(listening, make_key):
    with begin_submission(listening, make_key(), 1_000_000) as line:
        while not select.select([line], [], [], STALL_S / 10)[0]:
            line.sendall(b"x")
        check_too_slow(line)


def request_head(key):
    return (
        f"GET /v1/session HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {key}\r\n"
        "Connection: close\r\n"
    ).encode()


def cut_connections(reason):
    labels = {"reason": reason}
    return REGISTRY.get_sample_value("sera_http_connections_cut_total", labels) or 0


@contextmanager
def served_with(settings, **limits):
    """The port of a gateway with these limits for unfinished headers."""
    protocol = type("LimitedProtocol", (HeaderLimitProtocol,), limits)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        served(create_app(settings), listener, protocol),
    ):
        yield listener.getsockname()[1]


@pytest.mark.parametrize("first_bytes", [b"", b"GET /v1/session HTTP/1.1\r\n"])
def test_a_connection_without_complete_headers_is_closed(first_bytes, settings):
    cut = cut_connections("slow")
    with (
        served_with(settings, headers_s=0.2) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as line,
    ):
        line.sendall(first_bytes)
        assert line.recv(100) == b""
    assert cut_connections("slow") == cut + 1


def test_the_oldest_of_too_many_unfinished_connections_is_closed(settings, make_key):
    with (
        served_with(settings, max_unfinished=2, headers_s=60.0, grace_s=0.0) as port,
        ExitStack() as connections,
    ):
        lines = [
            connections.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=10)
            )
            for _ in range(3)
        ]
        assert lines[0].recv(100) == b""
        lines[2].sendall(request_head(make_key()) + b"\r\n")
        assert read_answer(lines[2])[0] == 200


def test_other_clients_are_served_meanwhile(listening, make_key):
    key = make_key()
    with begin_submission(listening, key, 100_000) as slow:
        with socket.create_connection(("127.0.0.1", listening), timeout=10) as line:
            line.sendall(
                f"GET /v1/jobs HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {key}\r\nConnection: "
                "close\r\n\r\n".encode()
            )
            assert read_answer(line)[0] == 200
        check_too_slow(slow)


def test_a_burst_of_connections_is_answered_though_it_is_over_the_limit(
    settings, make_key
):
    head = request_head(make_key()) + b"\r\n"
    with (
        served_with(settings, max_unfinished=2, headers_s=60.0) as port,
        ExitStack() as connections,
    ):
        lines = [
            connections.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=10)
            )
            for _ in range(6)
        ]
        for line in lines:
            line.sendall(head)
        assert [read_answer(line)[0] for line in lines] == [200] * 6
