import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.middleware.fingerprint import RequestFingerprint

FORM = b'--%(b)s\r\nContent-Disposition: form-data; name="%(n)s"\r\n\r\n%(v)s\r\n'


def form(parts, boundary=b"line"):
    body = b"".join(
        FORM % {b"b": boundary, b"n": name, b"v": value} for name, value in parts
    )
    return (
        f"multipart/form-data; boundary={boundary.decode()}",
        body + b"--%s--\r\n" % boundary,
    )


def digest(
    content_type, body, *, method="POST", path="/v1/x", query=b"", chunk_size=1 << 20
):
    scope = {"type": "http", "method": method, "path": path, "query_string": query}
    scope["headers"] = (
        [(b"content-type", content_type.encode())] if content_type else []
    )
    chunks = [
        body[start : start + chunk_size] for start in range(0, len(body), chunk_size)
    ] or [b""]

    async def read():
        async def receive():
            return {
                "type": "http.request",
                "body": chunks.pop(0),
                "more_body": bool(chunks),
            }

        fingerprint = RequestFingerprint(scope, receive)
        while (await fingerprint.receive())["more_body"]:
            pass
        return fingerprint.digest()

    with ThreadPoolExecutor(
        1
    ) as pool:  # another test's event loop may be running in this thread
        return pool.submit(asyncio.run, read()).result()


PARTS = [(b"image", b"\x89PNG\r\n--lin\r"), (b"size_mm", b"14.5")]
DIGEST = digest(*form(PARTS))


@pytest.mark.parametrize("chunk_size", [1, 7, 64])
def test_the_digest_of_a_form_ignores_order_boundary_and_chunks(chunk_size):
    assert digest(*form(PARTS[::-1], b"another"), chunk_size=chunk_size) == DIGEST


@pytest.mark.parametrize(
    "parts",
    [
        [PARTS[0], (b"size_mm", b"14.6")],
        [PARTS[0], (b"size", b"14.5")],
        PARTS[:1],
        [*PARTS, PARTS[1]],
    ],
)
def test_another_name_or_value_or_number_of_parts_changes_the_digest(parts):
    assert digest(*form(parts)) != DIGEST


def test_the_digest_of_json_depends_on_its_content():
    deeply_nested = b"[" * 200_000
    bodies = [
        b'{"a": 1, "b": [2]}',
        b'{"b":[2],"a":1}',
        b'{"a": 1, "b": [3]}',
        b"no json",
        deeply_nested,
        b"",
    ]
    first, repeat, *different = (
        digest("application/json; charset=utf-8", body) for body in bodies
    )
    assert first == repeat
    assert len({first, *different}) == 5


def test_the_digest_depends_on_method_path_and_query():
    requests = [{}, {"method": "PUT"}, {"path": "/v1/y"}, {"query": b"reason=x"}]
    assert len({digest("", b"", **request) for request in requests}) == 4


def test_an_invalid_form_is_hashed_byte_by_byte():
    assert digest("multipart/form-data; boundary=b", b"no form") != digest(
        "multipart/form-data; boundary=b", b"nor so"
    )
    assert digest("multipart/form-data", b"no boundary") != digest(
        "multipart/form-data", b"none here"
    )
