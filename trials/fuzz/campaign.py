"""Sends uploads to a gateway and asks what became of them."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import httpx2

from trials.fuzz.tally import Tally
from trials.fuzz.upload import Upload

BOUND_S = 70.0
"""Cleaning is cut off after 60 s; an answer later than this is a hang."""
PATH = "/v1/cases"
AT_ONCE = 4
AHEAD = 64


def send_all(
    client: httpx2.Client,
    uploads: Iterable[Upload],
    tally: Tally,
    at_once: int = AT_ONCE,
) -> None:
    """Send each, several at a time; none is made long before it is sent."""
    with ThreadPoolExecutor(at_once) as pool:
        for some in _batches(uploads, AHEAD):
            list(pool.map(lambda each: send(client, each, tally), some))


def send(client: httpx2.Client, upload: Upload, tally: Tally) -> None:
    """Send one and count its answer, or that none came within the client's patience, which is to be
    BOUND_S.
    """
    headers = {"Content-Type": upload.content_type}
    began = time.perf_counter()
    try:
        answer = client.post(PATH, content=upload.body, headers=headers)
    except httpx2.TimeoutException:
        return tally.unanswered(upload, "no answer in time")
    except httpx2.TransportError as error:
        return tally.unanswered(upload, f"no answer: {type(error).__name__}")
    took_s = time.perf_counter() - began
    tally.answered(upload, answer.status_code, answer.headers, _json(answer), took_s)


def _json(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _batches(uploads: Iterable[Upload], size: int) -> Iterator[list[Upload]]:
    line = iter(uploads)
    while some := list(islice(line, size)):
        yield some
