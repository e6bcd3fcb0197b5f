"""Runs the checks of `./sera audit verify`, and words their findings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.connection import open_ledger
from shared.domain.audit.chain import Seal
from shared.domain.audit.export import AuditExport
from shared.domain.audit.verification import (
    Fault,
    Finding,
    Findings,
    make_finding,
    verify,
)
from shared.ledger import Ledger
from shared.ledger.audit.evidence import ResultVerifier
from shared.ledger.audit.export import AuditTrailReader
from shared.security.audit_signing import is_signed, own_public_keys
from shared.settings import Settings

MAX_SENTENCES = 50


def verify_file(
    file: Path, trusted: Sequence[str], witnesses: Sequence[Seal]
) -> Findings:
    """Verify an exported file, without a database."""
    exported = AuditExport(file)
    findings = verify(exported.links(), exported.seals(), is_signed, trusted, witnesses)
    if exported.is_complete():
        return findings
    incomplete = make_finding(Fault.INCOMPLETE, "", 0, 0)
    return replace(findings, findings=(incomplete, *findings.findings))


def verify_ledger(
    settings: Settings, trusted: Sequence[str], witnesses: Sequence[Seal]
) -> Findings:
    """Verify this installation's database.

    Without named keys, the key of this machine is the trusted one.
    """
    with open_ledger(settings) as ledger:
        trusted_keys = trusted or own_public_keys(settings)
        return _verify_trail(ledger, trusted_keys, witnesses)


def verify_database(url: str, trusted: Sequence[str]) -> Findings:
    """Verify the database at `url`; only the given keys are trusted."""
    ledger = Ledger(url, pool_size=1)
    try:
        return _verify_trail(ledger, trusted)
    finally:
        ledger.close()


def _verify_trail(
    ledger: Ledger, trusted: Sequence[str], witnesses: Sequence[Seal] = ()
) -> Findings:
    """Verify the trail, and the results for which its events vouch."""
    trail = AuditTrailReader(ledger, "cli")
    results = ResultVerifier(trail.open)
    seals = trail.seals()
    findings = verify(
        results.watch(trail.links()), seals, is_signed, trusted, witnesses
    )
    return replace(findings, findings=(*findings.findings, *results.findings))


def to_json(findings: Findings) -> dict[str, Any]:
    return {
        "whole": findings.is_intact,
        "wrong": [_finding_json(finding) for finding in findings.findings],
        "events": findings.event_counts,
        "sealed": findings.sealed_numbers,
        "keys": findings.keys,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "fault": finding.fault,
        "chain": finding.chain,
        "first": finding.first_number,
        "last": finding.last_number,
        "sentence": finding.sentence,
        "facts": finding.facts,
    }


def sentences(findings: Findings, trusted: bool) -> list[str]:
    """Return sentences for the findings, then for the number of events that a seal covers."""
    sentences = [finding.sentence for finding in findings.findings[:MAX_SENTENCES]]
    if len(findings.findings) > MAX_SENTENCES:
        sentences.append(
            f"And {len(findings.findings) - MAX_SENTENCES} more; all with --json."
        )
    events = sum(findings.event_counts.values())
    sealed = sum(findings.sealed_numbers.values())
    verdict = "is whole" if findings.is_intact else "is NOT whole"
    sentences.append(
        f"The audit trail {verdict}: {events} events in {len(findings.event_counts)} chains, "
        f"{sealed} vouched for."
    )
    if sealed < events:
        sentences.append(
            "Events after a chain's last seal fit together, but no seal vouches that none was "
            "cut off."
        )
    if findings.keys and not trusted:
        keys = ", ".join(findings.keys)
        sentences.append(
            f"It was sealed with {keys}: compare it with what `./sera audit key` prints where "
            "SERA runs."
        )
    return sentences
