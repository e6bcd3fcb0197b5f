"""Implements optimistic locking with `ETag` and `If-Match`: a write names the version that it
changes.
"""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from shared.errors import InputError
from shared.ledger.edit_conflicts import ANY, ETags

TAG = re.compile(r'\s*(?:W/"[^"]*"|"([^"]*)")\s*(?:,|$)')
"""One tag of the header; its group is the value of a strong tag."""
MAX_LENGTH = 2000


class TagInvalid(InputError):
    code = "if-match-invalid"
    text = (
        'If-Match takes the ETag that was read, in its quotation marks, such as "7", several '
        "with commas, or *."
    )


def tags(
    if_match: Annotated[
        str | None,
        Header(
            max_length=MAX_LENGTH,
            description="The ETag of the version that you read. If the resource has changed since "
            "then, the request changes nothing (412). Without this header the last "
            "write wins.",
        ),
    ] = None,
) -> ETags:
    """Return the strong tags of an If-Match header. Weak tags never match (RFC 9110, 13.1.1).

    Raises TagInvalid.
    """
    if if_match is None:
        return None
    if if_match.strip() == ANY:
        return frozenset({ANY})
    strong_tags = set()
    position = 0
    while position < len(if_match):
        tag = TAG.match(if_match, position)
        if tag is None:
            raise TagInvalid
        strong_tags.add(tag[1])
        position = tag.end()
    return frozenset(strong_tags - {None})


IfMatch = Annotated[ETags, Depends(tags)]


def set_etag(response: Response, tag: str) -> None:
    response.headers["ETag"] = f'"{tag}"'
