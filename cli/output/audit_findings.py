"""Runs the checks of `./sera audit verify`, and words their findings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cli.connection import objects_url, open_ledger
from shared.domain.audit.chain import Seal
from shared.domain.audit.export import AuditExport
from shared.domain.audit.series import Witness
from shared.domain.audit.trail import Seals, verify_trail
from shared.domain.audit.verification import (
    Fault,
    Finding,
    Findings,
    make_finding,
)
from shared.ledger import Ledger
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.whole_trail import verify_whole_trail
from shared.objects import open_store
from shared.security.audit_signing import is_signed, own_public_keys
from shared.security.last_seal import last_seal_places, read_witnesses
from shared.settings import Settings

MAX_SENTENCES = 50
GIVEN_PLACE = "the witness that you gave"
GRACE_S = 60.0
"""A sealer may be busy when its time comes."""


@dataclass(frozen=True)
class OutsideSeals:
    """What vouches for the trail and is stored elsewhere.

    `seals` are those of single chains, `witnesses` those of the series of all chains.
    """

    seals: tuple[Seal, ...] = ()
    witnesses: tuple[Witness, ...] = ()


def outside_seals(exports: Sequence[Path], lines: Sequence[str]) -> OutsideSeals:
    """Read earlier exports, and the lines of `./sera audit witness`.

    Raises ExportMissing, ExportUnreadable, WitnessUnreadable.
    """
    seals: list[Seal] = []
    witnesses = [Witness.parse(line, GIVEN_PLACE) for line in lines]
    for path in exports:
        export = AuditExport(path)
        seals += export.seals()
        witnesses += [
            replace(seal.witness, place=str(path)) for seal in export.series()[-1:]
        ]
    return OutsideSeals(seals=tuple(seals), witnesses=tuple(witnesses))


def verify_file(
    file: Path,
    trusted: Sequence[str],
    outside: OutsideSeals,
    settings: Settings,
) -> Findings:
    """Verify an exported file, without a database."""
    exported = AuditExport(file)
    seals = Seals(
        own=exported.seals(),
        series=exported.series(),
        earlier=outside.seals,
        witnesses=outside.witnesses,
    )
    findings = verify_trail(
        exported.links(),
        seals,
        is_signed,
        trusted_keys=trusted,
        max_wait=longest_wait(settings),
        now=None,
    )
    if exported.is_complete():
        return findings
    incomplete = make_finding(Fault.INCOMPLETE, "", 0, 0)
    return replace(findings, findings=(incomplete, *findings.findings))


def verify_ledger(
    settings: Settings, trusted: Sequence[str], outside: OutsideSeals
) -> Findings:
    """Verify this installation's database, also against the last seals outside it.

    Without named keys, the key of this machine is the trusted one.
    """
    objects = open_store(objects_url(settings))
    witnesses = read_witnesses(last_seal_places(settings, objects))
    outside = replace(outside, witnesses=(*outside.witnesses, *witnesses))
    with open_ledger(settings) as ledger:
        trusted_keys = trusted or own_public_keys(settings)
        return _verify_trail(ledger, settings, trusted_keys, outside)


def verify_database(url: str, trusted: Sequence[str], settings: Settings) -> Findings:
    """Verify the database at `url`; only the given keys are trusted."""
    ledger = Ledger(url, pool_size=1)
    try:
        return _verify_trail(ledger, settings, trusted, OutsideSeals())
    finally:
        ledger.close()


def longest_wait(settings: Settings) -> timedelta:
    """The time within which every event is sealed, if a sealer works."""
    return timedelta(seconds=2 * settings.audit_seal_every_s + GRACE_S)


def _verify_trail(
    ledger: Ledger,
    settings: Settings,
    trusted: Sequence[str],
    outside: OutsideSeals,
) -> Findings:
    return verify_whole_trail(
        AuditTrailReader(ledger, "cli"),
        is_signed,
        trusted_keys=trusted,
        earlier_seals=outside.seals,
        witnesses=outside.witnesses,
        max_wait=longest_wait(settings),
    )


def to_json(findings: Findings) -> dict[str, Any]:
    return {
        "whole": findings.is_intact,
        "wrong": [_finding_json(finding) for finding in findings.findings],
        "events": findings.event_counts,
        "sealed": findings.sealed_numbers,
        "keys": findings.keys,
        "late": [vars(late_seal) for late_seal in findings.late_seals],
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
    sentences += [
        late_seal.sentence for late_seal in findings.late_seals[:MAX_SENTENCES]
    ]
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
