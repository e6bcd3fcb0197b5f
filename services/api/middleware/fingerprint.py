"""Computes a fingerprint of a request, to recognise a repeat.

Repeats of a request have equal fingerprints, even if their bytes are laid out differently.
Different requests have different fingerprints.
"""

import hashlib
import json
from typing import Protocol
from uuid import UUID

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

FORM = b"multipart/form-data"
JSON = b"application/json"


class BodyFingerprint(Protocol):
    """Reads a body chunk by chunk."""

    def add(self, data: bytes) -> None: ...

    def canonical(self) -> str:
        """Return a text that is equal for equal bodies."""


class RequestFingerprint:
    """Reads a body as it arrives. The fingerprint of a form depends on its parts, but not on their
    order or on the boundary. What a person sends is another request than the same of somebody else:
    a reading or a level is theirs alone.
    """

    def __init__(
        self, scope: Scope, receive: Receive, person: UUID | None = None
    ) -> None:
        """`person` is who is signed in; None for an API key."""
        self._receive = receive
        query = scope["query_string"].decode("latin-1")
        self._request_line = f"{scope['method']} {scope['path']}?{query}"
        if person is not None:
            self._request_line += f"\n{person}"
        self._body = _body_fingerprint(Headers(scope=scope).get("content-type", ""))

    async def receive(self) -> Message:
        message = await self._receive()
        self._body.add(message.get("body", b""))
        return message

    def digest(self) -> str:
        canonical = f"{self._request_line}\n{self._body.canonical()}"
        return hashlib.sha256(canonical.encode()).hexdigest()


def _body_fingerprint(content_type: str) -> BodyFingerprint:
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type == FORM and boundary:
        return _FormFingerprint(boundary)
    if media_type == JSON:
        return _JsonFingerprint()
    return _BytesFingerprint()


class _BytesFingerprint:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._hash.update(data)

    def canonical(self) -> str:
        return self._hash.hexdigest()


class _JsonFingerprint:
    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        self._data += data

    def canonical(self) -> str:
        if not self._data:
            return ""
        try:
            return json.dumps(json.loads(self._data), sort_keys=True)
        except (ValueError, RecursionError):
            return hashlib.sha256(self._data).hexdigest()


class _FormFingerprint:
    """The parts of a form, each by its Content-Disposition and the hash of its content."""

    def __init__(self, boundary: bytes) -> None:
        self._parts: list[tuple[str, str]] = []
        self._header_name = b""
        self._header_content = b""
        self._disposition = ""
        self._hash = hashlib.sha256()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
            },
        )

    def add(self, data: bytes) -> None:
        """Add data. If the body is not a valid form, its bytes count; the route's parser refuses it
        later.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            self._parts.append(("broken", hashlib.sha256(data).hexdigest()))

    def canonical(self) -> str:
        return json.dumps(sorted(self._parts))

    def _part_begin(self) -> None:
        self._disposition = ""
        self._hash = hashlib.sha256()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._hash.update(memoryview(data)[start:end])

    def _part_end(self) -> None:
        self._parts.append((self._disposition, self._hash.hexdigest()))

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_content += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_content.decode("latin-1")
        self._header_name = b""
        self._header_content = b""
