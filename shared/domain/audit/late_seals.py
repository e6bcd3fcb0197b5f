"""Names events that were sealed late, or that wait for a seal for too long.

A seal proves that events are unchanged since it was made. If it was made long after its events, no
sealer worked in between, or somebody removed the seals of their time, rewrote events and let them
be sealed again. The trail itself cannot tell which; a witness can.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.audit.chain import Link, Seal

LATE_SEAL_TEXT = (
    "Events {first} to {last} of chain {chain}, the first of them of {made_at}, have no seal of "
    "their time: {sealed}. No sealer worked then, or seals were removed; hold a witness against "
    "the trail (--witness)."
)


@dataclass(frozen=True)
class LateSeal:
    """A run of events without a seal of their time.

    `made_at` is the time of the first event; `sealed_at` is that of the seal, None without one.
    """

    chain: str
    first_number: int
    last_number: int
    made_at: str
    sealed_at: str | None

    @property
    def sentence(self) -> str:
        sealed = "they have none"
        if self.sealed_at:
            sealed = f"their seal is of {self.sealed_at}"
        return LATE_SEAL_TEXT.format(
            first=self.first_number,
            last=self.last_number,
            chain=self.chain,
            made_at=self.made_at,
            sealed=sealed,
        )


class LateSealWatch:
    """Watches events pass, and collects the late seals.

    Parameters
    ----------
    seals : the seals of all chains, in any order
    max_wait : the time within which an event gets its seal
    now : for events without any seal; None where the time of the trail's end is unknown
    """

    def __init__(
        self, seals: Iterable[Seal], max_wait: timedelta, now: datetime | None
    ) -> None:
        self._max_wait = max_wait
        self._now = now
        self._runs: dict[tuple[str, int | None], LateSeal] = {}
        self._seals: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for seal in seals:
            self._seals[seal.chain].append((seal.number, seal.at))
        for places in self._seals.values():
            places.sort()

    @property
    def late_seals(self) -> Sequence[LateSeal]:
        return list(self._runs.values())

    def watch(self, links: Iterable[Link]) -> Iterator[Link]:
        """Yield the events unchanged."""
        for link in links:
            self._note(link)
            yield link

    def _note(self, link: Link) -> None:
        seals = self._seals.get(link.chain, [])
        index = bisect_left(seals, (link.number, ""))
        sealed_number, sealed_at = seals[index] if index < len(seals) else (None, None)
        end = _time(sealed_at) if sealed_at else self._now
        made_at = _time(link.at)
        if end is None or made_at is None or end - made_at <= self._max_wait:
            return
        run = self._runs.get((link.chain, sealed_number))
        self._runs[link.chain, sealed_number] = LateSeal(
            chain=link.chain,
            first_number=run.first_number if run else link.number,
            last_number=link.number,
            made_at=run.made_at if run else link.at,
            sealed_at=sealed_at,
        )


def _time(text: str) -> datetime | None:
    """None if the text is no time with a time zone: such an event is found by its hash."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
