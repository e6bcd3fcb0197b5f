"""Failures that only a server can have."""

import hashlib
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.errors import StorageFull
from shared.objects import ObjectsRefused, ObjectStore, ObjectsUnavailable, open_store
from shared.objects.bucket import Bucket
from shared.objects.s3 import S3Store

ERROR = (
    "<?xml version='1.0'?><Error><Code>{code}</Code><Message>refused</Message></Error>"
)


@contextmanager
def server_that_answers(
    status, body=b"", content_type="application/xml", content_length=None, headers=None
):
    """An HTTP server that gives the same answer to every request and counts them."""

    class Answer(BaseHTTPRequestHandler):
        requests = 0

        def answer(self):
            type(self).requests += 1
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(content_length or len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.close_connection = True

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

        def log_message(self, *arguments):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", Answer
        finally:
            server.shutdown()
            thread.join()


def store_at(endpoint):
    return S3Store(Bucket(endpoint, name="images", key="KEY", secret="SECRET"))


@pytest.fixture
def closed_port():
    """A bound port without a listener: every connection is refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_an_object_goes_to_the_server_and_comes_back(s3_endpoint):
    objects = open_store(f"s3://KEY:SECRET@{s3_endpoint}/first-use?region=eu-west-1")
    stored = objects.put(b"a nodule")
    objects.put_named("features/vgg16", b"cached")
    assert stored.sha256 == hashlib.sha256(b"a nodule").hexdigest()
    reopened = open_store(f"s3://KEY:SECRET@{s3_endpoint}/first-use?region=eu-west-1")
    assert reopened.get(stored.sha256) == b"a nodule"
    assert reopened.get_named("features/vgg16") == b"cached"


def test_many_writers_may_make_the_bucket_at_once(bucket):
    def put(number):
        return ObjectStore(S3Store(bucket)).put(f"object {number}".encode()).sha256

    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(put, range(16)))
    objects = ObjectStore(S3Store(bucket))
    assert [objects.get(digest) for digest in digests] == [
        f"object {number}".encode() for number in range(16)
    ]


def test_a_server_that_is_down_makes_the_store_unavailable(closed_port):
    objects = open_store(f"s3://KEY:SECRET@127.0.0.1:{closed_port}/images")
    for call in (
        lambda: objects.put(b"x"),
        lambda: objects.get("0" * 64),
        lambda: objects.get_named("a"),
    ):
        with pytest.raises(ObjectsUnavailable, match="Nothing was lost") as raised:
            call()
        assert (raised.value.status, raised.value.retryable) == (503, True)
        assert "SECRET" not in str(raised.value)


def test_listing_and_deleting_are_unavailable_too(closed_port):
    store = store_at(f"127.0.0.1:{closed_port}")
    with pytest.raises(ObjectsUnavailable):
        list(store.keys())
    with pytest.raises(ObjectsUnavailable):
        store.delete("key")


def test_a_server_that_keeps_failing_gets_a_few_requests_only():
    with server_that_answers(503, ERROR.format(code="SlowDown").encode()) as (
        endpoint,
        answer,
    ):
        with pytest.raises(ObjectsUnavailable):
            store_at(endpoint).read("key")
        assert 2 <= answer.requests <= 5


def test_a_truncated_answer_is_an_error():
    with (
        server_that_answers(200, b"half", content_length=8) as (endpoint, _),
        pytest.raises(ObjectsUnavailable),
    ):
        store_at(endpoint).read("key")


def test_a_server_that_speaks_no_s3_is_named():
    with (
        server_that_answers(404, b"<html>hello</html>", "text/html") as (endpoint, _),
        pytest.raises(ObjectsUnavailable, match="does not speak S3"),
    ):
        store_at(endpoint).read("key")


LISTING = (
    "<ListBucketResult><Name>images</Name><IsTruncated>false</IsTruncated>{entries}"
    "</ListBucketResult>"
)
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
    "<Size>1</Size></Contents>"
)
UNREADABLE_ANSWERS = (
    (404, b"<Error><Code>NoSuch", "application/xml"),
    (500, b"", "application/xml"),
    (502, "<html>g\u00e9n\u00e9ral</html>".encode("latin-1"), "text/html"),
    (404, b'<!DOCTYPE e [<!ENTITY a "a">]><Error>&b;</Error>', "application/xml"),
)


@pytest.mark.parametrize(("status", "body", "content_type"), UNREADABLE_ANSWERS)
def test_an_unreadable_answer_makes_the_store_unavailable(status, body, content_type):
    with server_that_answers(status, body, content_type) as (endpoint, _):
        store = store_at(endpoint)
        for call in (
            lambda: store.read("key"),
            lambda: store.write("key", io.BytesIO(b"value"), 5),
            lambda: store.delete("key"),
            lambda: list(store.keys()),
        ):
            with pytest.raises(ObjectsUnavailable):
                call()


def test_an_object_with_an_unreadable_date_makes_the_store_unavailable():
    headers = {"Last-Modified": "yesterday"}
    with (
        server_that_answers(200, b"", headers=headers) as (endpoint, _),
        pytest.raises(ObjectsUnavailable),
    ):
        store_at(endpoint).exists("key")


def test_an_error_of_the_reader_of_an_object_is_the_readers_own():
    with (
        server_that_answers(200, b"value") as (endpoint, _),
        pytest.raises(ValueError, match="of the reader"),
        store_at(endpoint).open("key"),
    ):
        raise ValueError("of the reader")


def test_a_listing_has_no_names_that_are_no_keys_or_were_not_asked_for():
    names = ("../../etc/passwd", "/etc/passwd", "objects/a", "other/b", "objects/.c")
    entries = "".join(ENTRY.format(key=name) for name in names)
    body = LISTING.format(entries=entries).encode()
    with server_that_answers(200, body) as (endpoint, _):
        assert list(store_at(endpoint).keys("objects/")) == ["objects/a"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_image_is_not_sent_where_a_redirect_leads(status):
    with server_that_answers(200) as (other_endpoint, other_server):
        headers = {"Location": f"http://{other_endpoint}/images/key"}
        with server_that_answers(status, headers=headers) as (endpoint, _):
            store = store_at(endpoint)
            with pytest.raises(ObjectsUnavailable):
                store.write("key", io.BytesIO(b"value"), 5)
            with pytest.raises(ObjectsUnavailable):
                store.read("key")
        assert other_server.requests == 0


@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"]
)
def test_refused_credentials_are_not_retryable(code):
    with (
        server_that_answers(403, ERROR.format(code=code).encode()) as (endpoint, _),
        pytest.raises(ObjectsRefused, match=code) as raised,
    ):
        store_at(endpoint).read("key")
    assert not raised.value.retryable
    assert "SECRET" not in str(raised.value)


def test_a_full_store_has_its_own_error():
    full = ERROR.format(code="XMinioStorageFull").encode()
    with (
        server_that_answers(507, full) as (endpoint, _),
        pytest.raises(StorageFull, match="images and models"),
    ):
        store_at(endpoint).write("key", io.BytesIO(b"value"), 5)


def test_a_long_retry_after_is_not_waited_for():
    headers = {"Retry-After": "3600"}
    with server_that_answers(
        503, ERROR.format(code="SlowDown").encode(), headers=headers
    ) as (
        endpoint,
        answer,
    ):
        with pytest.raises(ObjectsUnavailable):
            store_at(endpoint).read("key")
        assert answer.requests > 1


def test_refused_credentials_do_not_look_like_a_missing_object():
    with server_that_answers(403, b"") as (endpoint, _), pytest.raises(ObjectsRefused):
        store_at(endpoint).exists("key")


def test_neither_store_nor_bucket_shows_the_secret(bucket):
    store = S3Store(bucket)
    assert "SECRET" not in f"{store!r} {bucket!r} {ObjectStore(store)!r}"
