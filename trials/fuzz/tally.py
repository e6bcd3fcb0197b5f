"""Counts the outcomes of uploads, and decides which of them are faults."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trials.fuzz.upload import Upload

EXPECTED_STATUSES = range(200, 500)
ACCEPTED = 202
PROBLEM = "application/problem+json"
INTERNAL_REASONS = ("internal", "worker-lost")
"""Reasons of failed jobs that no image may cause."""


@dataclass
class Tally:
    """Counters that several threads update."""

    keep: Path
    statuses: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    jobs: dict[str, int] = field(default_factory=dict)
    """Numbers of the accepted uploads, by the ids of their jobs."""
    longest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def record_answer(
        self,
        upload: Upload,
        status: int,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        duration_s: float,
    ) -> None:
        """Count an answer. `body` is its JSON object, or None."""
        fields = body or {}
        code = fields.get("code", "")
        with self._lock:
            self.statuses[f"{status} {code}".strip()] += 1
            self.longest_s = max(self.longest_s, duration_s)
            if status == ACCEPTED:
                self.jobs[fields["job_id"]] = upload.number
        if status not in EXPECTED_STATUSES:
            self.record_fault(upload, f"answered {status}")
        elif status >= 400 and not (code and headers.get("content-type") == PROBLEM):
            self.record_fault(upload, f"answered {status} without a problem")

    def record_silence(self, upload: Upload, reason: str) -> None:
        with self._lock:
            self.statuses[reason] += 1
        self.record_fault(upload, reason)

    def record_job(self, upload: Upload, state: str, reason: str | None) -> None:
        """Count the end of a case's job."""
        with self._lock:
            self.answers[f"{state} {reason or ''}".strip()] += 1
        if reason in INTERNAL_REASONS:
            self.record_fault(upload, f"its job failed with {reason}")

    def record_fault(self, upload: Upload | None, fault: str) -> None:
        """Record a fault, and save the request for later analysis."""
        with self._lock:
            self.faults.append(f"{upload}: {fault}" if upload else fault)
        if upload:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{upload.number}.body").write_bytes(upload.body)
            (self.keep / f"{upload.number}.txt").write_text(
                f"{upload}\n{upload.content_type}\n{fault}\n"
            )
