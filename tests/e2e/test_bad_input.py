"""Whatever is sent, the answer says what to do, and the next case still works."""

import http.client
import select
import struct
import zlib
from collections.abc import Iterator

import cv2
import httpx2
import pytest

from shared.phantoms import draw
from tests.e2e.stage import Hospital, Stage
from tests.support.builders import png

pytestmark = pytest.mark.timeout(600)  # the first test waits for a model to be trained

MIB = 2**20
PART = b'--edge\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'


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
    """A PNG that unfolds to side x side grey pixels, all black."""
    row = b"\0" * (side + 1)
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))
        for t, d in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_truncated_image_fails_alone_with_its_reason(
    north: Hospital, kind: str
) -> None:
    content = cv2.imencode(f".{kind}", draw(7).pixels)[1].tobytes()
    values = [
        north.accepted(image)
        for image in (png(1), content[: len(content) // 2], png(2))
    ]
    good, broken, third = (north.job(item["job_id"]) for item in values)
    assert (good["state"], third["state"]) == ("done", "done")
    assert (broken["state"], broken["reason"], broken["result"]) == (
        "failed",
        "image-unreadable",
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
    result = check_problem(
        north.submit(roi='{"box": [100, 100, 80, 80]}'), 422, "roi-outside-image"
    )
    assert "128 x 128" in result


def test_an_unknown_key_is_refused(stage: Stage, north: Hospital) -> None:
    check_problem(
        stage.caller("sera_0123456789ab_no-such-secret").submit(),
        401,
        "unauthenticated",
    )


def test_a_body_of_two_gib_is_refused_before_it_is_sent(
    stage: Stage, north: Hospital
) -> None:
    line = begin(stage, north, {"Content-Length": str(2 << 30)})
    line.send(PART)
    sent = len(PART)
    while not select.select([line.sock], [], [], 0)[0] and sent < 64 * MIB:
        line.send(bytes(MIB))
        sent += MIB
    assert sent < 64 * MIB
    assert_413(line)


def test_a_body_without_a_length_is_refused_when_it_passes_the_cap(
    stage: Stage, north: Hospital
) -> None:
    line = begin(stage, north, {"Transfer-Encoding": "chunked"})
    for piece in (PART, *[bytes(MIB)] * (stage.settings.max_upload_mib + 1)):
        line.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    assert_413(line)


def begin(
    stage: Stage, hospital: Hospital, headers: dict[str, str]
) -> http.client.HTTPConnection:
    line = http.client.HTTPConnection("127.0.0.1", stage.stack.port, timeout=30)
    line.putrequest("POST", "/v1/cases")
    fields = {
        "Content-Type": "multipart/form-data; boundary=edge",
        "Authorization": hospital.http.headers["authorization"],
    }
    for name, value in (fields | headers).items():
        line.putheader(name, value)
    line.endheaders()
    return line


def assert_413(line: http.client.HTTPConnection) -> None:
    answer = line.getresponse()
    result = httpx2.Response(
        answer.status, headers=dict(answer.getheaders()), content=answer.read()
    )
    assert "32 MiB" in check_problem(result, 413, "too-large")
    line.close()
