"""Types of the parts of an HTTP request and of the JSON that answers it."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

JsonObject: TypeAlias = dict[str, Any]
QueryValue: TypeAlias = str | int | float | None
FilePart: TypeAlias = tuple[str, bytes] | tuple[str, bytes, str]
"""Name, content and perhaps media type of an uploaded file."""


class RequestParts(TypedDict, total=False):
    """The query of a request, and its body: `json`, or `data` and `files`."""

    params: Mapping[str, QueryValue]
    json: object
    data: Mapping[str, object]
    files: Mapping[str, FilePart] | Sequence[tuple[str, FilePart]]


class RequestWithHeaders(RequestParts, total=False):
    """A request's query, body and headers."""

    headers: Mapping[str, str]
