"""Sends uploads to a gateway and counts its answers."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import httpx2

from trials.fuzz.tally import Tally
from trials.fuzz.upload import Upload

ANSWER_TIMEOUT_S = 70.0
"""Cleaning is cut off after 60 s; an answer later than this is a hang."""
PATH = "/v1/cases"
PARALLEL_UPLOADS = 4
BATCH_UPLOADS = 64


def send_all(
    client: httpx2.Client,
    uploads: Iterable[Upload],
    tally: Tally,
    parallel_uploads: int = PARALLEL_UPLOADS,
) -> None:
    """Send the uploads, several at a time. An upload is made shortly before it is sent."""
    with ThreadPoolExecutor(parallel_uploads) as pool:
        for batch in _batches(uploads, BATCH_UPLOADS):
            list(pool.map(lambda upload: send(client, upload, tally), batch))


def send(client: httpx2.Client, upload: Upload, tally: Tally) -> None:
    """Send an upload, and count its answer or its silence.

    The client's timeout has to be ANSWER_TIMEOUT_S.
    """
    headers = {"Content-Type": upload.content_type}
    start_s = time.perf_counter()
    try:
        answer = client.post(PATH, content=upload.body, headers=headers)
    except httpx2.TimeoutException:
        return tally.record_silence(upload, "no answer in time")
    except httpx2.TransportError as error:
        return tally.record_silence(upload, f"no answer: {type(error).__name__}")
    duration_s = time.perf_counter() - start_s
    tally.record_answer(
        upload=upload,
        status=answer.status_code,
        headers=answer.headers,
        body=_json(answer),
        duration_s=duration_s,
    )


def _json(answer: httpx2.Response) -> dict[str, Any] | None:
    """The answer's JSON object; None if it is something else."""
    try:
        body = answer.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _batches(uploads: Iterable[Upload], size: int) -> Iterator[list[Upload]]:
    iterator = iter(uploads)
    while batch := list(islice(iterator, size)):
        yield batch
