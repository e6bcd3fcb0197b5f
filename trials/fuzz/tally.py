"""What became of uploads, and what of it is a fault."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trials.fuzz.upload import Upload

FINE = range(200, 500)
ACCEPTED = 202
PROBLEM = "application/problem+json"
OURS = ("internal", "worker-lost")
"""Reasons of failed jobs that no image may bring about."""


@dataclass
class Tally:
    """Counted from several threads."""

    keep: Path
    statuses: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    jobs: dict[str, int] = field(default_factory=dict)
    """Numbers of the uploads that were taken, by their job's id."""
    longest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def answered(
        self,
        sent: Upload,
        status: int,
        headers: Mapping[str, str],
        body: Any,
        took_s: float,
    ) -> None:
        """An answer came; `body` is its JSON, or None."""
        code = body.get("code", "") if isinstance(body, dict) else ""
        with self._lock:
            self.statuses[f"{status} {code}".strip()] += 1
            self.longest_s = max(self.longest_s, took_s)
            if status == ACCEPTED:
                self.jobs[body["job_id"]] = sent.number
        if status not in FINE:
            self.fault(sent, f"answered {status}")
        elif status >= 400 and not (code and headers.get("content-type") == PROBLEM):
            self.fault(sent, f"answered {status} without a problem")

    def unanswered(self, sent: Upload, how: str) -> None:
        with self._lock:
            self.statuses[how] += 1
        self.fault(sent, how)

    def finished(self, sent: Upload, state: str, reason: str | None) -> None:
        """A case's job has ended."""
        with self._lock:
            self.answers[f"{state} {reason or ''}".strip()] += 1
        if reason in OURS:
            self.fault(sent, f"its job failed with {reason}")

    def fault(self, sent: Upload | None, what: str) -> None:
        """Remember it, and keep the request for those who look into it."""
        with self._lock:
            self.faults.append(f"{sent}: {what}" if sent else what)
        if sent:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{sent.number}.body").write_bytes(sent.body)
            (self.keep / f"{sent.number}.txt").write_text(
                f"{sent}\n{sent.content_type}\n{what}\n"
            )
