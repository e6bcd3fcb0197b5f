"""Verifies the whole trail of a ledger: chains, seals, their series, and the results."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.domain.audit.chain import Seal
from shared.domain.audit.series import SeriesSeal, Witness
from shared.domain.audit.trail import Seals, verify_trail
from shared.domain.audit.verification import Findings
from shared.ledger.audit.evidence import ResultVerifier
from shared.ledger.audit.export import AuditTrailReader


def verify_whole_trail(
    trail: AuditTrailReader,
    has_valid_signature: Callable[[Seal | SeriesSeal], bool],
    *,
    trusted_keys: Sequence[str] = (),
    earlier_seals: Sequence[Seal] = (),
    witnesses: Sequence[Witness] = (),
    max_wait: timedelta,
) -> Findings:
    """Verify what one actor may read. Seals are read before events, so each has its event.

    `max_wait` is the time within which an event is sealed; `witnesses` are seals of the series that
    were put down elsewhere.
    """
    results = ResultVerifier(trail.open)
    seals = Seals(
        own=trail.seals(),
        series=trail.series(),
        earlier=earlier_seals,
        witnesses=witnesses,
    )
    findings = verify_trail(
        results.watch(trail.links()),
        seals,
        has_valid_signature,
        trusted_keys=trusted_keys,
        max_wait=max_wait,
        now=datetime.now(UTC),
    )
    return replace(findings, findings=(*findings.findings, *results.findings))
