"""Verifies a whole trail: its chains, and the seals that vouch for them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.audit.chain import Link, Seal
from shared.domain.audit.late_seals import LateSealWatch
from shared.domain.audit.series import (
    SeriesSeal,
    Witness,
    check_series,
    check_witnesses,
    head_seals,
)
from shared.domain.audit.verification import Findings, verify


@dataclass(frozen=True)
class Seals:
    """What vouches for a trail.

    Attributes
    ----------
    own : the seals of single chains, of the trail
    series : the seals of all chains, of the trail; empty for the trail of one hospital
    earlier : seals of single chains that are stored elsewhere
    witnesses : seals of the series that are put down elsewhere
    """

    own: Sequence[Seal]
    series: Sequence[SeriesSeal] = ()
    earlier: Sequence[Seal] = ()
    witnesses: Sequence[Witness] = ()


def verify_trail(
    links: Iterable[Link],
    seals: Seals,
    has_valid_signature: Callable[[Seal | SeriesSeal], bool],
    *,
    trusted_keys: Sequence[str] = (),
    max_wait: timedelta,
    now: datetime | None,
) -> Findings:
    """Verify all chains, each in the order of its events.

    Parameters
    ----------
    trusted_keys : a seal by another key is a fault; if empty, every key is trusted
    max_wait : the time within which an event is sealed; later seals are named, and are no fault
    now : the time at the end of the trail; None if it is unknown
    """
    series_by_number = {seal.number: seal for seal in seals.series}
    findings = [
        *check_series(seals.series, has_valid_signature, trusted_keys),
        *check_witnesses(series_by_number.get, seals.witnesses),
    ]
    heads = head_seals(
        seal
        for seal in seals.series
        if has_valid_signature(seal) and (not trusted_keys or seal.key in trusted_keys)
    )
    late_seals = LateSealWatch((*seals.own, *heads), max_wait, now)
    chains = verify(
        late_seals.watch(links),
        seals.own,
        has_valid_signature,
        trusted_keys,
        witnesses=seals.earlier,
        heads=heads,
    )
    return replace(
        chains,
        findings=(*findings, *chains.findings),
        late_seals=tuple(late_seals.late_seals),
    )
