"""Opens the object store that an address in the settings names."""

import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from shared.objects.bucket import REGION, TIMEOUT_S, Bucket
from shared.objects.directory import DirectoryStore
from shared.objects.errors import StoreUrlInvalid
from shared.objects.keys import KeyStore
from shared.objects.store import ObjectStore

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
_BUCKET = re.compile(
    r"(?![0-9.]+$)(?!.*(\.\.|\.-|-\.))[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
_SECONDS = re.compile(r"[1-9][0-9]?|[12][0-9]{2}|300")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,61}")


def open_store(url: str) -> ObjectStore:
    """Open the store in a folder or a bucket. Raises StoreUrlInvalid.

    Addresses are `file:///folder` or
    `s3://KEY:SECRET@host:port/bucket[?secure=true][&region=NAME][&timeout_s=N]`.
    """
    return ObjectStore(_key_store(url))


def _key_store(url: str) -> KeyStore:
    parts = _split(url)
    if parts.scheme == "file":
        return DirectoryStore(_folder(parts))
    if parts.scheme == "s3":
        # Imported late: a folder needs no minio.
        from shared.objects.s3 import S3Store

        return S3Store(_bucket(parts))
    raise StoreUrlInvalid(problem="it starts with neither file:// nor s3://")


def _folder(parts: SplitResult) -> Path:
    if parts.netloc:
        raise StoreUrlInvalid(problem="a file address has three slashes and no host")
    path = Path(unquote(parts.path))
    if not path.is_absolute() or path == Path("/"):
        raise StoreUrlInvalid(problem="the folder is missing or not absolute")
    return path


def _bucket(parts: SplitResult) -> Bucket:
    if not (parts.username and parts.password):
        raise StoreUrlInvalid(problem="key or secret is missing")
    endpoint = parts.netloc.rpartition("@")[2]
    if not _HOST.fullmatch(endpoint) or not _is_port_valid(parts):
        raise StoreUrlInvalid(problem="host or port cannot be read")
    name = parts.path.strip("/")
    if not _BUCKET.fullmatch(name):
        raise StoreUrlInvalid(
            problem="one bucket name, of 3 to 63 of a-z 0-9 . -, has to follow the host"
        )
    options = _options(parts.query)
    return Bucket(
        endpoint=endpoint,
        name=name,
        key=unquote(parts.username),
        secret=unquote(parts.password),
        secure=options.get("secure") == "true",
        region=options.get("region", REGION),
        timeout_s=float(options.get("timeout_s", TIMEOUT_S)),
    )


def _options(query: str) -> dict[str, str]:
    """The options after the `?` of the address. Raises StoreUrlInvalid."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = set(options) - {"secure", "region", "timeout_s"}
    if unknown:
        raise StoreUrlInvalid(
            problem=f"it has {len(unknown)} option(s) other than secure, region and timeout_s"
        )
    if options.get("secure", "false") not in {"true", "false"}:
        raise StoreUrlInvalid(problem="secure is true or false")
    if not _REGION.fullmatch(options.get("region", REGION)):
        raise StoreUrlInvalid(problem="the region is no region's name")
    timeout = options.get("timeout_s")
    if timeout is not None and not _SECONDS.fullmatch(timeout):
        raise StoreUrlInvalid(
            problem="timeout_s is a whole number of seconds, 1 to 300"
        )
    return options


def _split(url: str) -> SplitResult:
    """The parts of the address.

    The error of urlsplit is not shown, because it may contain the secret.
    """
    with suppress(ValueError):
        return urlsplit(url)
    raise StoreUrlInvalid(problem="it is not a URL")


def _is_port_valid(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
