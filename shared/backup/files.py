"""Compressed files of a backup, with their size and hash."""

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from shared.backup.manifest import FilePart

LEVEL = 3
CHUNK_BYTES = 1 << 20


@contextmanager
def open_compressed(path: Path) -> Iterator[BinaryIO]:
    """What is written here lies compressed in the file; the same content makes the same file."""
    with path.open("xb") as raw, gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as out:
        yield cast(
            BinaryIO, out
        )  # it has all methods of one, but is not declared to be one


@contextmanager
def open_decompressed(path: Path) -> Iterator[BinaryIO]:
    with gzip.open(path, "rb") as stream:
        yield cast(BinaryIO, stream)


def file_part(path: Path) -> FilePart:
    """As the manifest tells of it."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FilePart(size=path.stat().st_size, sha256=digest)


def read_lines(path: Path) -> list[str]:
    with open_decompressed(path) as stream:
        return stream.read().decode().split()
