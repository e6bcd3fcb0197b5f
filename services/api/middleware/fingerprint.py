"""What a request says, however its bytes were laid out: equal for a repeat, other for other words."""

import hashlib
import json

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

FORM = b"multipart/form-data"
JSON = b"application/json"


class RequestFingerprint:
    """Follows a body on its way in; a form counts by its parts, whatever their order and boundary."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._line = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}"
        kind, options = parse_options_header(
            Headers(scope=scope).get("content-type", "")
        )
        known = kind == FORM and options.get(b"boundary")
        self._body = (
            _Form(options[b"boundary"])
            if known
            else _Json()
            if kind == JSON
            else _Bytes()
        )

    async def receive(self) -> Message:
        message = await self._receive()
        self._body.take(message.get("body", b""))
        return message

    def digest(self) -> str:
        return hashlib.sha256(
            f"{self._line}\n{self._body.words()}".encode()
        ).hexdigest()


class _Bytes:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def take(self, data: bytes) -> None:
        self._hash.update(data)

    def words(self) -> str:
        return self._hash.hexdigest()


class _Json:
    def __init__(self) -> None:
        self._data = bytearray()

    def take(self, data: bytes) -> None:
        self._data += data

    def words(self) -> str:
        try:
            return (
                json.dumps(json.loads(self._data), sort_keys=True) if self._data else ""
            )
        except (ValueError, RecursionError):
            return hashlib.sha256(self._data).hexdigest()


class _Form:
    """Its parts, each by what it is called and the hash of what it holds."""

    def __init__(self, boundary: bytes) -> None:
        self._parts: list[tuple[str, str]] = []
        self._field = b""
        self._value = b""
        self._called = ""
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

    def take(self, data: bytes) -> None:
        """What is no form is refused by whoever reads it for good."""
        try:
            self._parser.write(data)
        except FormParserError:
            self._parts.append(("broken", hashlib.sha256(data).hexdigest()))

    def words(self) -> str:
        return json.dumps(sorted(self._parts))

    def _part_begin(self) -> None:
        self._called = ""
        self._hash = hashlib.sha256()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._hash.update(memoryview(data)[start:end])

    def _part_end(self) -> None:
        self._parts.append((self._called, self._hash.hexdigest()))

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._called = self._value.decode("latin-1")
        self._field = self._value = b""
