"""The compressed files of a backup, with their size and hash."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from shared.backup.manifest import FilePart

COMPRESSION_LEVEL = 3


@contextmanager
def open_compressed(path: Path) -> Iterator[BinaryIO]:
    """Open a new gzip file for writing. The same content gives the same bytes."""
    with (
        path.open("xb") as raw,
        gzip.GzipFile("", "wb", COMPRESSION_LEVEL, raw, mtime=0) as stream,
    ):
        # GzipFile has all methods of BinaryIO, but is not declared as one.
        yield cast(BinaryIO, stream)


@contextmanager
def open_decompressed(path: Path) -> Iterator[BinaryIO]:
    with gzip.open(path, "rb") as stream:
        yield cast(BinaryIO, stream)


def file_part(path: Path) -> FilePart:
    """Return the manifest's entry of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FilePart(size=path.stat().st_size, sha256=digest)


def read_lines(path: Path) -> list[str]:
    with open_decompressed(path) as stream:
        return stream.read().decode().split()
