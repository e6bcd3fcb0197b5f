"""Finds lost, double, stuck and wrong answers in the records of hospitals and their job lists."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.jobs import FINAL_STATES, JobState, Reason
from trials.slo.case import CaseRecord, Kind

Jobs = Mapping[str, Sequence[Mapping[str, Any]]]
"""The job list of each hospital."""


@dataclass(frozen=True)
class Violations:
    """Sentences by kind of violation; all are empty in a good run."""

    lost: tuple[str, ...] = ()
    """Cases that were never answered, disappeared, or failed although the image was good."""
    double: tuple[str, ...] = ()
    """Two jobs for one request, two results for one job, or a job without a request."""
    stuck: tuple[str, ...] = ()
    """Jobs that were accepted and never became final."""
    changed: tuple[str, ...] = ()
    """Results that differ from what a hospital read before, or that could be rewritten unseen."""
    wrong: tuple[str, ...] = ()
    """A result of another case, or a result for a corrupt image."""

    @property
    def passed(self) -> bool:
        return not (
            self.lost or self.double or self.stuck or self.changed or self.wrong
        )


def find_violations(records: Sequence[CaseRecord], listed: Jobs) -> Violations:
    return Violations(
        lost=tuple(_lost_cases(records)),
        double=(*_double_cases(records), *_unexpected_jobs(records, listed)),
        stuck=tuple(_stuck_cases(records)),
        changed=tuple(_changed_cases(records)),
        wrong=tuple(_wrong_cases(records)),
    )


def _lost_cases(records: Sequence[CaseRecord]) -> Iterable[str]:
    for record in records:
        name = describe(record)
        job = record.job
        if not record.receipts:
            if record.silent:
                yield f"{name} was never answered"
            elif record.planned.kind is not Kind.CORRUPT:
                yield f"{name} was refused: {record.refused}"
        elif job is None:
            yield f"{name} was promised, and its job is not there"
        elif job["state"] == JobState.CANCELLED or (
            job["state"] == JobState.FAILED and _must_succeed(record)
        ):
            yield f"{name} is {job['state']}: {job['reason']}"


def _double_cases(records: Sequence[CaseRecord]) -> Iterable[str]:
    for record in records:
        if len(record.jobs) > 1:
            yield f"{describe(record)} has the jobs {', '.join(sorted(record.jobs))}"
        elif len(record.cases) > 1:
            yield f"{describe(record)} is the cases {', '.join(sorted(record.cases))}"


def _unexpected_jobs(records: Sequence[CaseRecord], listed: Jobs) -> Iterable[str]:
    """Jobs in a hospital's list that no receipt names, that are listed twice, or are missing."""
    promised: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        promised[record.planned.hospital] |= record.jobs
    for hospital, jobs in listed.items():
        counts = Counter(job["job_id"] for job in jobs)
        for job in counts.keys() - promised[hospital]:
            yield f"{hospital} has job {job}, which no receipt names"
        for job, count in counts.items():
            if count > 1:
                yield f"{hospital} lists job {job} {count} times"
        for job in promised[hospital] - counts.keys():
            yield f"{hospital} does not find job {job} in its list"


def _stuck_cases(records: Sequence[CaseRecord]) -> Iterable[str]:
    for record in records:
        if record.job and record.job["state"] not in FINAL_STATES:
            yield (
                f"{describe(record)} is still {record.job['state']} after "
                f"{record.job['attempts']} attempts"
            )


def _changed_cases(records: Sequence[CaseRecord]) -> Iterable[str]:
    for record in records:
        if len(record.results) > 1:
            risks = ", ".join(str(result["risk"]) for result in record.results)
            yield f"{describe(record)} was answered with one risk after another: {risks}"


def _wrong_cases(records: Sequence[CaseRecord]) -> Iterable[str]:
    for record in records:
        planned = record.planned
        job = record.job
        if not job or job["state"] != JobState.DONE:
            continue
        if planned.kind is Kind.CORRUPT:
            yield f"{describe(record)} breaks off, and was answered all the same"
        elif job["case_id"] not in record.cases:
            yield f"{describe(record)} got the answer to the case {job['case_id']}"
        elif abs(job["result"]["fna"]["size_mm"] - planned.size_mm) > 1e-6:
            yield (
                f"{describe(record)} of {planned.size_mm} mm got the answer for "
                f"{job['result']['fna']['size_mm']} mm"
            )


def _must_succeed(record: CaseRecord) -> bool:
    """Whether a failure of this case is a violation."""
    if record.planned.kind is Kind.CORRUPT:
        return False
    reason = record.job["reason"] if record.job else None
    return not (record.killed and reason == Reason.WORKER_LOST)


def describe(record: CaseRecord) -> str:
    planned = record.planned
    return f"{planned.kind} case {planned.number} of {planned.hospital}"
