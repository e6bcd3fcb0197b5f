"""What `./sera audit verify` looks at and says."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.connection import open_ledger
from shared.domain.audit.chain import Seal
from shared.domain.audit.export import Exported
from shared.domain.audit.verification import Fault, Findings, found, verify
from shared.ledger import Ledger
from shared.ledger.audit.export import Trail
from shared.security.audit_signing import own_key, signed
from shared.settings import Settings

TOLD_AT_MOST = 50


def of_file(file: Path, trusted: Sequence[str], witnesses: Sequence[Seal]) -> Findings:
    """What an export proves, with nothing but the file."""
    exported = Exported(file)
    findings = verify(exported.links(), exported.seals(), signed, trusted, witnesses)
    if exported.complete():
        return findings
    return replace(findings, wrong=(found(Fault.INCOMPLETE, "", 0, 0), *findings.wrong))


def of_ledger(
    settings: Settings, trusted: Sequence[str], witnesses: Sequence[Seal]
) -> Findings:
    """What the database holds; this machine's own key is the one to be trusted if no other is
    named.
    """
    with open_ledger(settings) as ledger:
        trail = Trail(ledger, "cli")
        seals = trail.seals()
        return verify(
            trail.links(), seals, signed, trusted or own_key(settings), witnesses
        )


def of_database(url: str, trusted: Sequence[str]) -> Findings:
    """The same of the database at this address, with no key trusted but these."""
    ledger = Ledger(url, pool_size=1)
    try:
        trail = Trail(ledger, "cli")
        seals = trail.seals()
        return verify(trail.links(), seals, signed, trusted)
    finally:
        ledger.close()


def to_json(findings: Findings) -> dict[str, Any]:
    wrong = [vars(each) for each in findings.wrong]
    return {"whole": findings.whole, **vars(findings), "wrong": wrong}


def sentences(findings: Findings, trusted: bool) -> list[str]:
    """What was found, row by row, then how far it reaches."""
    told = [finding.sentence for finding in findings.wrong[:TOLD_AT_MOST]]
    if len(findings.wrong) > TOLD_AT_MOST:
        told.append(f"And {len(findings.wrong) - TOLD_AT_MOST} more; all with --json.")
    events = sum(findings.events.values())
    sealed = sum(findings.sealed.values())
    verdict = "is whole" if findings.whole else "is NOT whole"
    told.append(
        f"The audit trail {verdict}: {events} events in {len(findings.events)} chains, "
        f"{sealed} vouched for."
    )
    if sealed < events:
        told.append(
            "Events after a chain's last seal fit together, but no seal vouches that none was "
            "cut off."
        )
    if findings.keys and not trusted:
        keys = ", ".join(findings.keys)
        told.append(
            f"It was sealed with {keys}: compare it with what `./sera audit key` prints where "
            "SERA runs."
        )
    return told
