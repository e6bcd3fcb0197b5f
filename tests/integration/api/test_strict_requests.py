"""Requests that a lenient reader would guess at are refused, and the field is named."""

from threading import current_thread

import pytest

from services.api.app import ROUTERS
from services.api.monitoring.router import router as monitoring_router
from services.api.strict_requests import (
    MAX_INLINE_JSON_BYTES,
    RouteFields,
    StrictRoute,
    check_json,
)
from shared.domain.roles import Role
from tests.support.builders import png

BOUNDARY = "----sera"
CLOSING = f"--{BOUNDARY}--\r\n".encode()
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
ODD_NUMBERS = ("1_2", "１２", "१२", "0x1f", "1e", "12 mm", "1,2")


def part(name: str, value: bytes, filename: str = "") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename:
        disposition += f'; filename="{filename}"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + value + b"\r\n"


IMAGE = part("image", png(1), "a.png")
SIZE = part("size_mm", b"12")


@pytest.fixture
def submitter(as_role):
    return as_role(Role.SUBMITTER)


@pytest.fixture
def submit(submitter):
    def send(*parts: bytes, closing: bytes = CLOSING, path: str = "/v1/cases"):
        body = b"".join(parts) + closing
        return submitter.post(path, content=body, headers=HEADERS)

    return send


def faulty_fields(answer) -> list[str]:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    return [error["field"] for error in answer.json()["errors"]]


def test_a_complete_form_is_accepted(submit):
    assert submit(IMAGE, SIZE).status_code == 202
    assert submit(IMAGE, SIZE, closing=CLOSING.rstrip()).status_code == 202
    assert submit(IMAGE, SIZE, closing=CLOSING + b"epilogue").status_code == 202


@pytest.mark.parametrize("closing", [b"", f"--{BOUNDARY}\r\n".encode(), CLOSING[:-4]])
@pytest.mark.parametrize("path", ["/v1/cases", "/v1/previews"])
def test_a_form_that_breaks_off_is_refused(submit, closing, path):
    answer = submit(SIZE, IMAGE, closing=closing, path=path)
    assert (answer.status_code, answer.json()["code"]) == (400, "body-unreadable")


@pytest.mark.parametrize(
    ("repeated", "name"),
    [(part("size_mm", b"13"), "size_mm"), (IMAGE, "image"), (SIZE, "size_mm")],
)
def test_a_field_that_comes_twice_is_refused_by_name(submit, repeated, name):
    answer = submit(IMAGE, SIZE, repeated)
    assert faulty_fields(answer) == [name]
    assert "2 times" in answer.json()["detail"]


def test_files_of_a_batch_may_come_many_times(as_role):
    operator = as_role(Role.OPERATOR)
    operator.post("/v1/datasets", json={"name": "set"})
    files = part("files", png(1), "a.png") + part("files", png(2), "b.png")
    manifest = part("manifest", b"image,malignant\na.png,1\nb.png,0\n", "m.csv")
    path = "/v1/datasets/set/batches"
    body = files + manifest + CLOSING
    assert operator.post(path, content=body, headers=HEADERS).json()["added"] == 2
    repeated = files + manifest + manifest + CLOSING
    answer = operator.post(path, content=repeated, headers=HEADERS)
    assert faulty_fields(answer) == ["manifest"]


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_text_that_is_not_utf_8_is_refused_by_name(submit, encoding):
    number = part("external_id", "검사 17".encode(encoding))
    assert faulty_fields(submit(IMAGE, SIZE, number)) == ["external_id"]


def test_a_files_name_that_is_not_utf_8_is_refused(submit):
    image = IMAGE.replace(b"a.png", "갑상선.png".encode("cp949"))
    assert faulty_fields(submit(image, SIZE)) == ["image"]


def test_url_encoded_text_that_is_not_utf_8_is_refused(as_role):
    operator = as_role(Role.OPERATOR)
    answer = operator.post(
        "/v1/manifests",
        content=b"manifest=image%2Cmalignant%0A%B0%A9",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert faulty_fields(answer) == ["manifest"]


@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_a_number_of_a_form_is_in_plain_digits(submit, number):
    size = part("size_mm", number.encode())
    assert faulty_fields(submit(IMAGE, size)) == ["size_mm"]
    frame = part("frame", number.encode())
    assert faulty_fields(submit(IMAGE, SIZE, frame)) == ["frame"]
    assert faulty_fields(submit(IMAGE, frame, path="/v1/previews")) == ["frame"]


@pytest.mark.parametrize(
    "roi",
    [
        '{"box": [1, 2, 30, 40], "box": [5, 6, 30, 40]}',
        '{"box": [1, 2, 30, NaN]}',
        '{"box": [1, 2, 30, Infinity]}',
        '{"box": [1_0, 2, 30, 40]}',
    ],
)
def test_json_in_a_form_is_read_strictly(submit, roi):
    answer = submit(IMAGE, SIZE, part("roi", roi.encode()))
    assert (answer.status_code, answer.json()["code"]) == (422, "roi-invalid")


def test_descriptors_and_corners_with_a_repeated_key_are_refused(submit):
    descriptors = (
        b'{"composition": "solid", "echogenicity": "hypoechoic", "orientation": '
        b'"wider-than-tall", "margin": "smooth", "margin": "irregular"}'
    )
    answer = submit(IMAGE, SIZE, part("descriptors", descriptors))
    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "descriptors-unreadable",
    )
    corners = part("corners", b"[[1, 2], [100, 2], [100, 90], [1, NaN]]")
    photo = part("photo", b"true")
    answer = submit(IMAGE, photo, corners, path="/v1/previews")
    assert (answer.status_code, answer.json()["code"]) == (422, "corners-invalid")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"name": "a", "name": "b"}', "name"),
        ('{"name": "a", "synthetic": false, "synthetic": true}', "synthetic"),
    ],
)
def test_a_key_that_stands_twice_in_a_json_body_is_refused_by_name(as_role, body, key):
    answer = as_role(Role.OPERATOR).post(
        "/v1/datasets", content=body, headers={"Content-Type": "application/json"}
    )
    assert faulty_fields(answer) == [key]


def test_a_large_json_body_is_checked_outside_of_the_event_loop(as_role, monkeypatch):
    threads = []

    def checked(body, numbers):
        threads.append((len(body) > MAX_INLINE_JSON_BYTES, current_thread().name))
        check_json(body, numbers)

    monkeypatch.setattr("services.api.strict_requests.check_json", checked)
    operator = as_role(Role.OPERATOR)
    padding = " " * MAX_INLINE_JSON_BYTES
    for body in (
        '{"name": "a", "name": "b"}',
        f'{{"name": "a", "name": "b"{padding}}}',
    ):
        answer = operator.post(
            "/v1/datasets", content=body, headers={"Content-Type": "application/json"}
        )
        assert faulty_fields(answer) == ["name"]
    (_, loop_thread), (is_large, worker_thread) = threads
    assert is_large
    assert loop_thread != worker_thread


def test_a_number_of_a_json_body_may_not_be_odd_text(as_role):
    operator = as_role(Role.OPERATOR)
    operator.post("/v1/datasets", json={"name": "set"})
    answer = operator.post(
        "/v1/datasets/set/split", json={"by": "patient", "seed": "1_2"}
    )
    assert faulty_fields(answer) == ["seed"]


@pytest.mark.parametrize("number", ["1_2", "１２"])
def test_a_number_of_an_address_is_in_plain_digits(as_role, number):
    operator = as_role(Role.OPERATOR)
    assert faulty_fields(operator.get(f"/v1/audit?limit={number}")) == ["limit"]
    path = f"/v1/datasets/set/versions/{number}"
    assert faulty_fields(operator.get(path)) == ["number"]


def test_every_route_is_strict_about_the_numbers_that_it_documents(gateway):
    document = gateway.app.openapi()
    numbers = {
        (method.lower(), route.path_format): RouteFields.of(route)
        for router in (*ROUTERS, monitoring_router)
        for route in router.routes
        if isinstance(route, StrictRoute)
        for method in route.methods
    }
    documented = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            fields = numbers[method, path]
            for parameter in operation.get("parameters", []):
                kinds = _kinds(parameter["schema"])
                if parameter["in"] in ("path", "query") and kinds & {
                    "integer",
                    "number",
                }:
                    documented += 1
                    names = fields.path if parameter["in"] == "path" else fields.query
                    assert parameter["name"] in names, (path, parameter["name"])
    assert documented > 10


def _kinds(schema: dict) -> set[str]:
    choices = schema.get("anyOf", [schema])
    return {choice.get("type", "") for choice in choices}
