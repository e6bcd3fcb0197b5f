"""The hash by which the audit trail vouches for a result and for what it was computed from.

The database writes it into the event `job.done`, as `evidence` of its details. It is the SHA-256,
in hexadecimal, of this JSON array in UTF-8, with `, ` between its members:

    ["sera-evidence/1", result, job, hospital, case, case's hospital, image, size, frame, ROI,
     external id, device, source, findings, descriptors, model, body]

`result` is a random id that an erasure removes with the result, so that nothing of an erased case
can be guessed from the hash. `frame` is a number or null. Size, ROI, findings, descriptors and body
are the texts that PostgreSQL makes of them, or null.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from shared.domain.audit.chain import Link, canonical_bytes, sha256
from shared.domain.audit.events import Event
from shared.domain.audit.verification import Fault, Finding, make_finding

EVIDENCE_FORM = "sera-evidence/1"
EVIDENCE = "evidence"
"""The name of the hash in the details of `job.done`."""


@dataclass(frozen=True)
class Evidence:
    """A result with its inputs, as the texts that their hash covers, in the order of the form."""

    result: str
    job: str
    hospital: str
    case: str
    case_hospital: str
    image: str
    size: str | None
    frame: int | None
    roi: str | None
    external_id: str | None
    device: str | None
    source: str | None
    findings: str | None
    descriptors: str | None
    model: str
    body: str

    @property
    def computed_hash(self) -> str:
        members = [getattr(self, member.name) for member in fields(self)]
        return sha256(canonical_bytes((EVIDENCE_FORM, *members)))


@dataclass(frozen=True)
class StoredResults:
    """What the ledger has of some jobs.

    Attributes
    ----------
    results : every result of these jobs, by job
    erased_cases : those of their cases whose erasure is in the audit trail
    """

    results: Mapping[str, tuple[Evidence, ...]]
    erased_cases: frozenset[str]


def finished_jobs(links: Iterable[Link]) -> list[Link]:
    """The events that vouch for a result. Those of before the schema r0003 have no hash."""
    return [
        link
        for link in links
        if link.event == Event.JOB_DONE and EVIDENCE in _details(link)
    ]


def check_results(links: Iterable[Link], stored: StoredResults) -> Iterator[Finding]:
    """Yield a finding for each finished job whose result is not the one of its event."""
    for link in links:
        results = stored.results.get(str(link.job), ())
        hashes = [result.computed_hash for result in results]
        fault = None
        if len(hashes) > 1:
            fault = Fault.RESULT_ADDED
        elif hashes and hashes != [_details(link)[EVIDENCE]]:
            fault = Fault.RESULT_CHANGED
        elif not hashes and link.case not in stored.erased_cases:
            fault = Fault.RESULT_REMOVED
        if fault:
            yield make_finding(
                fault,
                link.chain,
                first=link.number,
                last=link.number,
                job=link.job,
            )


def result_without_event(chain: str, job: str) -> Finding:
    """The finding for a result for which no event vouches."""
    return make_finding(Fault.RESULT_ADDED, chain, first=0, last=0, job=job)


def _details(link: Link) -> dict[str, object]:
    """The details of an event; empty if they were changed into something else."""
    try:
        details = json.loads(link.details)
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}
