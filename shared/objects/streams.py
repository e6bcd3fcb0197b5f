"""Protocols of byte streams: an open file, a spooled file, the body of a response."""

from typing import Protocol


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...


class Seekable(Readable, Protocol):
    def seek(self, offset: int, /) -> int: ...

    def tell(self) -> int: ...
