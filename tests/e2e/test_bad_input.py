"""Sends bad input: the answer says what to do, and the next case still works."""

import http.client
import select
import struct
import zlib
from collections.abc import Iterator

import cv2
import httpx2
import numpy as np
import pytest

from shared.phantoms import draw
from tests.e2e.stage import Hospital, Stage
from tests.support.builders import png

pytestmark = pytest.mark.timeout(600)  # the first test waits for a model to be trained

MIB = 2**20
PART = (
    b"--edge\r\n"
    b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n"
)


@pytest.fixture(autouse=True)
def the_next_case_still_works(north: Hospital) -> Iterator[None]:
    yield
    assert north.read()["state"] == "done"


def check_problem(answer: httpx2.Response, status: int, code: str) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert problem["detail"].endswith(".")
    assert problem["retryable"] is False
    return problem["detail"]


def bomb(side: int) -> bytes:
    """A small PNG file of side x side grey pixels, all black."""
    row = b"\0" * (side + 1)
    compressor = zlib.compressobj(9)
    pixels = b"".join(compressor.compress(row) for _ in range(side))
    pixels += compressor.flush()
    bit_depth = 8
    header = struct.pack(">II", side, side) + bytes([bit_depth, 0, 0, 0, 0])
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_truncated_image_is_refused_alone_with_its_reason(
    north: Hospital, kind: str
) -> None:
    content = cv2.imencode(f".{kind}", draw(7).pixels)[1].tobytes()
    truncated = content[: len(content) // 2]
    first = north.accepted(png(1))
    check_problem(north.submit(truncated), 422, "image-unreadable")
    second = north.accepted(png(2))
    states = {north.job(receipt["job_id"])["state"] for receipt in (first, second)}
    assert states == {"done"}


def test_an_image_without_a_nodule_fails_alone_with_its_reason(
    north: Hospital,
) -> None:
    even = cv2.imencode(".png", np.full((128, 128), 90, np.uint8))[1].tobytes()
    receipts = [north.accepted(image) for image in (png(1), even, png(2))]
    good, broken, third = (north.job(receipt["job_id"]) for receipt in receipts)
    assert (good["state"], third["state"]) == ("done", "done")
    assert (broken["state"], broken["reason"], broken["result"]) == (
        "failed",
        "image-blank",
        None,
    )
    assert broken["message"].endswith(".")


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"", 422, "image-empty"),
        (b"this is text, whatever its name says. " * 9, 415, "image-unsupported"),
    ],
)
def test_what_is_no_image_is_refused_at_once(
    north: Hospital, image: bytes, status: int, code: str
) -> None:
    check_problem(north.submit(image), status, code)


def test_a_small_file_that_unfolds_to_30000_by_30000_pixels_is_refused_at_once(
    north: Hospital,
) -> None:
    image = bomb(30_000)
    assert len(image) < MIB
    check_problem(north.submit(image), 413, "image-too-large")


@pytest.mark.parametrize("size", ["nan", "inf", "-1", "0", "wide", "", None])
def test_a_size_that_is_none_is_refused_by_name(
    north: Hospital, size: str | None
) -> None:
    assert "size_mm" in check_problem(
        north.submit(size_mm=size), 422, "invalid-request"
    )


def test_an_roi_beyond_the_image_is_refused(north: Hospital) -> None:
    answer = north.submit(roi='{"box": [100, 100, 80, 80]}')
    detail = check_problem(answer, 422, "roi-outside-image")
    assert "128 x 128" in detail


def test_an_unknown_key_is_refused(stage: Stage, north: Hospital) -> None:
    check_problem(
        stage.caller("sera_0123456789ab_no-such-secret").submit(),
        401,
        "unauthenticated",
    )


def test_a_body_of_two_gib_is_refused_before_it_is_sent(
    stage: Stage, north: Hospital
) -> None:
    connection = begin(stage, north, {"Content-Length": str(2 << 30)})
    connection.send(PART)
    sent = len(PART)
    while not select.select([connection.sock], [], [], 0)[0] and sent < 64 * MIB:
        connection.send(bytes(MIB))
        sent += MIB
    assert sent < 64 * MIB
    assert_413(connection)


def test_a_body_without_a_length_is_refused_when_it_passes_the_cap(
    stage: Stage, north: Hospital
) -> None:
    connection = begin(stage, north, {"Transfer-Encoding": "chunked"})
    for piece in (PART, *[bytes(MIB)] * (stage.settings.max_upload_mib + 1)):
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    assert_413(connection)


def begin(
    stage: Stage, hospital: Hospital, headers: dict[str, str]
) -> http.client.HTTPConnection:
    """Open a connection and send the headers of a submission."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.stack.port, timeout=30)
    connection.putrequest("POST", "/v1/cases")
    all_headers = {
        "Content-Type": "multipart/form-data; boundary=edge",
        "Authorization": hospital.http.headers["authorization"],
        **headers,
    }
    for name, value in all_headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection


def assert_413(connection: http.client.HTTPConnection) -> None:
    answer = connection.getresponse()
    response = httpx2.Response(
        answer.status, headers=dict(answer.getheaders()), content=answer.read()
    )
    assert "32 MiB" in check_problem(response, 413, "too-large")
    connection.close()
