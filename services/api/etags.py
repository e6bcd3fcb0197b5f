"""`ETag` and `If-Match`: a write says for which state it is meant."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from shared.errors import InputError
from shared.ledger.edit_conflicts import ANY, ETags

STRONG = re.compile(r'\s*(?:W/"[^"]*"|"([^"]*)")\s*(?:,|$)')
LONGEST = 2000


class TagInvalid(InputError):
    code = "if-match-invalid"
    text = 'If-Match takes the ETag that was read, in its quotation marks, such as "7", several with commas, or *.'


def tags(
    if_match: Annotated[
        str | None,
        Header(
            max_length=LONGEST,
            description="The ETag of what was read. If another has changed it since, nothing is done (412); left out, "
            "the last word counts.",
        ),
    ] = None,
) -> ETags:
    """A weak tag is none (RFC 9110, 13.1.1)."""
    if if_match is None:
        return None
    if if_match.strip() == ANY:
        return frozenset({ANY})
    found = set()
    at = 0
    while at < len(if_match):
        each = STRONG.match(if_match, at)
        if each is None:
            raise TagInvalid
        found.add(each[1])
        at = each.end()
    return frozenset(found - {None})


IfMatch = Annotated[ETags, Depends(tags)]


def tagged(response: Response, tag: str) -> None:
    response.headers["ETag"] = f'"{tag}"'
