"""Submits a case over the public API and waits for its result."""

import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.connection import ApiClient

LONG_POLL_S = 20
OnWaiting = Callable[[dict[str, Any]], None]
FINAL = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class CaseFile:
    """An image to submit with its metadata."""

    name: str
    data: bytes
    size_mm: float
    roi: str | None = None
    """A region of interest as JSON text."""
    roi_space: str | None = None
    priority: str = "routine"
    external_id: str | None = None
    frame: int | None = None
    source: str | None = None
    descriptors: str | None = None
    """A JSON object in the lexicon's terms."""


def submit(api: ApiClient, case: CaseFile) -> dict[str, Any]:
    """Send a case and return the receipt."""
    names = (
        "size_mm",
        "roi",
        "roi_space",
        "priority",
        "external_id",
        "frame",
        "source",
        "descriptors",
    )
    kind = mimetypes.guess_type(case.name)[0] or "application/octet-stream"
    fields: dict[str, str] = {}
    for name in names:
        value = getattr(case, name)
        if value is not None:
            fields[name] = str(value)
    files = {"image": (case.name, case.data, kind)}
    receipt: dict[str, Any] = api.post("/v1/cases", data=fields, files=files)
    return receipt


def wait_for_result(
    api: ApiClient, job_id: str, on_waiting: OnWaiting = lambda job: None
) -> dict[str, Any]:
    """Return the job once it is final; call `on_waiting` every `LONG_POLL_S` seconds until then."""
    while True:
        job: dict[str, Any] = api.get(f"/v1/jobs/{job_id}", wait=LONG_POLL_S)
        if job["state"] in FINAL:
            return job
        on_waiting(job)


def submit_and_wait(
    api: ApiClient, case: CaseFile, on_waiting: OnWaiting = lambda job: None
) -> dict[str, Any]:
    return wait_for_result(api, submit(api, case)["job_id"], on_waiting)
