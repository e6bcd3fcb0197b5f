"""A key store in a bucket behind the S3 API: MinIO, SeaweedFS, Ceph, AWS."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from typing import BinaryIO, Self, cast
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error

from shared.errors import SeraError, StorageFull
from shared.objects.bucket import Bucket
from shared.objects.errors import ObjectMissing, ObjectsRefused, ObjectsUnavailable
from shared.objects.keys import check_key, check_prefix, is_key
from shared.objects.streams import Seekable

CONNECT_TIMEOUT_S = 3.0
VALUE_TIMEOUT_S = 60.0
"""How long reading a whole value may take, even if bytes keep coming."""
RETRIES = 3
PART_BYTES = 16 << 20
CHUNK_BYTES = 1 << 20
CONNECTIONS = 10

_ABSENT_CODES = {"NoSuchKey", "NoSuchBucket", "ResourceNotFound"}
_FULL_CODES = {"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"}
"""MinIO's codes for a full disk or bucket, and Ceph's for a full quota."""
_REFUSED_CODES = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidBucketName",
    "BucketAlreadyExists",
}


class S3Store:
    """A key store in an S3 bucket. The first write creates the bucket. The first call connects."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket.name
        self._address = f"{bucket.endpoint}/{bucket.name}"
        self._client = Minio(
            bucket.endpoint,
            access_key=bucket.key,
            secret_key=bucket.secret,
            secure=bucket.secure,
            region=bucket.region,
            http_client=_bounded_pool(bucket.timeout_s),
        )

    def __repr__(self) -> str:
        return f"S3Store({self._address!r})"

    def write(self, key: str, source: Seekable, size: int) -> None:
        check_key(key)
        start = source.tell()
        with self._translated_errors(key), self._readable_answers():
            try:
                self._put(key, source, size)
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise
                self._make_bucket()
                source.seek(start)
                self._put(key, source, size)

    def read(self, key: str) -> bytes:
        value = bytearray()
        deadline = time.monotonic() + VALUE_TIMEOUT_S
        with self.open(key) as stream:
            while chunk := stream.read1(CHUNK_BYTES):
                value += chunk
                if time.monotonic() > deadline:
                    raise ObjectsUnavailable(problem=f"{self._address} is too slow")
        return bytes(value)

    @contextmanager
    def open(self, key: str) -> Iterator[urllib3.BaseHTTPResponse]:
        check_key(key)
        with (
            self._translated_errors(key),
            closing(self._get(key)) as response,
        ):
            try:
                yield response
            finally:
                response.release_conn()

    def exists(self, key: str) -> bool:
        check_key(key)
        try:
            with self._translated_errors(key), self._readable_answers():
                self._client.stat_object(self._bucket, key)
        except ObjectMissing:
            return False
        return True

    def delete(self, key: str) -> None:
        check_key(key)
        try:
            with self._translated_errors(key), self._readable_answers():
                self._client.remove_object(self._bucket, key)
        except ObjectMissing:
            return

    def keys(self, prefix: str = "") -> Iterator[str]:
        check_prefix(prefix)
        try:
            with self._translated_errors(prefix), self._readable_answers():
                entries = self._client.list_objects(
                    self._bucket, prefix=prefix, recursive=True
                )
                for entry in entries:
                    key = entry.object_name or ""
                    if key.startswith(prefix) and is_key(key):
                        yield key
        except ObjectMissing:
            return

    def _get(self, key: str) -> urllib3.BaseHTTPResponse:
        with self._readable_answers():
            return self._client.get_object(self._bucket, key)

    def _put(self, key: str, source: Seekable, size: int) -> None:
        # The client declares a whole BinaryIO and calls only `read`.
        data = cast(BinaryIO, source)
        self._client.put_object(
            bucket_name=self._bucket,
            object_name=key,
            data=data,
            length=size,
            part_size=PART_BYTES,
        )

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            # Another process may have created it in the meantime.
            if error.code != "BucketAlreadyOwnedByYou":
                raise

    @contextmanager
    def _readable_answers(self) -> Iterator[None]:
        """The client raises its parsers' errors for an answer that is damaged or no S3."""
        try:
            yield
        except (ValueError, ParseError) as error:
            raise ObjectsUnavailable(
                problem=f"{self._address} does not speak S3"
            ) from error

    @contextmanager
    def _translated_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise _sera_error(error, key) from error
        except InvalidResponseError as error:
            raise ObjectsUnavailable(
                problem=f"{self._address} does not speak S3"
            ) from error
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise ObjectsUnavailable(
                problem=f"no good answer from {self._address}"
            ) from error


class _Retry(urllib3.Retry):
    """Does not repeat a request after a timeout of the server, because a caller waits."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: urllib3.connectionpool.ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise error
        return super().increment(
            method=method,
            url=url,
            response=response,
            error=error,
            _pool=_pool,
            _stacktrace=_stacktrace,
        )


def _bounded_pool(timeout_s: float) -> urllib3.PoolManager:
    """The client's default pool would wait five minutes for a connection, five times."""
    connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
    return urllib3.PoolManager(
        maxsize=CONNECTIONS,
        timeout=urllib3.Timeout(connect=connect_s, read=timeout_s),
        retries=_Retry(
            RETRIES,
            connect=1,
            redirect=0,  # a signature is for one host, and images are for no other
            backoff_factor=0.2,
            status_forcelist=[500, 502, 503, 504],
            respect_retry_after_header=False,  # the header may say hours
        ),
    )


def _sera_error(error: S3Error, key: str) -> SeraError:
    if error.code in _ABSENT_CODES:
        return ObjectMissing(key=key)
    if error.code in _FULL_CODES:
        return StorageFull(what="images and models")
    if error.code in _REFUSED_CODES:
        return ObjectsRefused(problem=error.code)
    return ObjectsUnavailable(problem=error.code)
