"""Whether chains of audit events are whole: every row that was changed, removed or moved is named.

The hashes prove that rows fit one another; the seals prove that they are the rows of the time of the seal. Without
seals, whoever may write to the database could make a whole chain anew, or cut its end off.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations, pairwise, product
from operator import itemgetter

from shared.domain.audit.chain import NO_PREVIOUS_HASH, Link, Seal

MAX_COMPARED_ROWS = 300
"""So many changed rows are compared with one another, to tell exchanged ones from rewritten ones."""
MAX_SORTED_RUNS = 1000
"""In so many pieces an order is still sorted out by piece."""


class Fault(StrEnum):
    CHANGED = "changed"
    REPLACED = "replaced"
    FORGED = "forged"
    REMOVED = "removed"
    REORDERED = "reordered"
    REPEATED = "repeated"
    CUT = "cut"
    REWRITTEN = "rewritten"
    INCOMPLETE = "incomplete"
    SEAL_BROKEN = "seal-broken"
    SEAL_REMOVED = "seal-removed"
    SEAL_UNTRUSTED = "seal-untrusted"


FAULT_TEXTS = {
    Fault.CHANGED: "{rows} of chain {chain} was changed: what it says does not make its hash.",
    Fault.REPLACED: "{rows} of chain {chain} was replaced: the event after it was chained to a different one.",
    Fault.FORGED: "{rows} of chain {chain} was not its first: it was chained to an event that is not there.",
    Fault.REMOVED: "{rows} of chain {chain}: removed.",
    Fault.REORDERED: "{rows} of chain {chain}: moved to another place.",
    Fault.REPEATED: "{rows} of chain {chain}: there more than once.",
    Fault.CUT: "{rows} of chain {chain}: removed from its end, for the seal {seal} of {at} had seen the last of them.",
    Fault.REWRITTEN: "{rows} of chain {chain}: rewritten, all or some, for the seal {seal} of {at} saw another event.",
    Fault.INCOMPLETE: "The file does not end as it was written: lines of it are missing or were added.",
    Fault.SEAL_BROKEN: "The seal {seal} of chain {chain} was changed: its signature does not belong to it.",
    Fault.SEAL_REMOVED: "Before the seal {seal} of chain {chain} another was removed or replaced.",
    Fault.SEAL_UNTRUSTED: "The seal {seal} of chain {chain} was made with the key {key}, which is none of those given.",
}


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the first and last row it is about; 0 where it is about a seal alone."""

    fault: Fault
    chain: str
    first: int
    last: int
    sentence: str
    facts: Mapping[str, object] = field(default_factory=dict, compare=False)
    """What the sentence is made of besides, for who says it in another language."""


@dataclass(frozen=True)
class Findings:
    """`sealed` is the number up to which each chain is vouched for by a seal; what came later only fits together."""

    findings: tuple[Finding, ...]
    events: dict[str, int]
    sealed: dict[str, int]
    keys: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return not self.findings


@dataclass
class _Chain:
    """How far one chain was read; `runs` are unbroken rows of numbers, first and last, as they came."""

    name: str
    seals: dict[int, list[Seal]] = field(default_factory=dict)
    runs: list[tuple[int, int]] = field(default_factory=list)
    before: Link | None = None
    count: int = 0
    good: int = 0
    rewritten: bool = False
    changed: list[Link] = field(default_factory=list)

    def read(self, link: Link) -> Iterator[Finding]:
        """A row that does not make its hash cannot be believed about its number, unless it stands where it says."""
        self.count += 1
        intact = link.computed_hash == link.hash
        follows = link.number == self._next
        if intact:
            yield from self._loose(link)
        else:
            self.changed.append(link)
        if intact or follows:
            self._extend(link.number)
            yield from self._against_seals(link)
        self.before = link if intact else None

    def end(self) -> Iterator[Finding]:
        """What is known only when all was read."""
        yield from self.gaps()
        reached = max((last for _, last in self.runs), default=0)
        last = max(self.seals, default=0)
        if last > reached:
            seal = self.seals[last][0]
            yield make_finding(
                Fault.CUT, self.name, reached + 1, last, seal=seal.seal, at=seal.at
            )

    def gaps(self) -> Iterator[Finding]:
        """What is known when all of a stretch was read."""
        yield from classify_changed_rows(self.changed)
        yield from (
            make_finding(Fault.REORDERED, self.name, *run) for run in displaced_runs(self.runs)
        )
        reached = 0
        for first, last in sorted(self.runs):
            if first > reached + 1:
                yield make_finding(Fault.REMOVED, self.name, reached + 1, first - 1)
            if first <= reached:
                yield make_finding(Fault.REPEATED, self.name, first, min(last, reached))
            reached = max(reached, last)

    @property
    def _next(self) -> int:
        return self.runs[-1][1] + 1 if self.runs else 1

    def _extend(self, number: int) -> None:
        if self.runs and number == self._next:
            self.runs[-1] = (self.runs[-1][0], number)
        else:
            self.runs.append((number, number))

    def _loose(self, link: Link) -> Iterator[Finding]:
        """An intact event that was chained to another than the one that stands before it."""
        before = self.before
        if link.number == 1 and link.previous != NO_PREVIOUS_HASH:
            yield make_finding(Fault.FORGED, self.name, 1, 1)
        elif (
            before and before.number == link.number - 1 and before.hash != link.previous
        ):
            yield make_finding(Fault.REPLACED, self.name, before.number, before.number)

    def _against_seals(self, link: Link) -> Iterator[Finding]:
        for seal in self.seals.get(link.number, ()):
            if link.hash == seal.hash:
                self.good = max(self.good, link.number)
            elif not self.rewritten:
                self.rewritten = True
                yield make_finding(
                    Fault.REWRITTEN,
                    self.name,
                    self.good + 1,
                    link.number,
                    seal=seal.seal,
                    at=seal.at,
                )


def verify(
    links: Iterable[Link],
    seals: Sequence[Seal],
    has_valid_signature: Callable[[Seal], bool],
    trusted_keys: Sequence[str] = (),
    witnesses: Sequence[Seal] = (),
) -> Findings:
    """Read every chain once, in the order in which its events lie.

    `signed` tells whether a seal's signature was made with the key named in it; seals of keys that are not `trusted`
    are found wrong, unless none is given. `witnesses` are seals kept elsewhere: they count as the chain's own do.
    """
    chains: dict[str, _Chain] = {}
    wrong = list(_in_row(seals))
    for seal in dict.fromkeys((*seals, *witnesses)):
        if doubt := _doubt(seal, has_valid_signature, trusted_keys):
            wrong.append(make_finding(doubt, seal.chain, 0, 0, seal=seal.seal, key=seal.key))
        else:
            _chain(chains, seal.chain).seals.setdefault(seal.number, []).append(seal)
    for link in links:
        wrong.extend(_chain(chains, link.chain).read(link))
    for chain in chains.values():
        wrong.extend(chain.end())
    events = {chain.name: chain.count for chain in chains.values()}
    sealed = {chain.name: chain.good for chain in chains.values()}
    return Findings(
        tuple(wrong),
        events,
        sealed,
        tuple(sorted({seal.key for seal in (*seals, *witnesses)})),
    )


@dataclass(frozen=True)
class Stretch:
    """How far one chain was read at a time; the next stretch begins after the event `number` and the seal `seal`."""

    chain: str
    findings: tuple[Finding, ...]
    events: int
    number: int
    seal: int
    seal_at: str | None
    sealed: int
    keys: frozenset[str]
    is_last: bool


def verify_stretch(
    previous_link: Link | None,
    links: Sequence[Link],
    seals: Sequence[Seal],
    has_valid_signature: Callable[[Seal], bool],
    trusted_keys: Sequence[str] = (),
    *,
    chain: str,
    last_seal: Seal | None,
    is_last: bool,
) -> Stretch:
    """Prove a part of one chain: `links` follow the event `before`, `seals` the seal `last_seal`, each in its order.

    Together the stretches of a chain find a fault wherever `verify` does, and may name it in other words: rows that
    changed places are told apart only within a stretch. `ended` says that these are the chain's last.
    """
    number = previous_link.number if previous_link else 0
    intact = previous_link if previous_link and previous_link.computed_hash == previous_link.hash else None
    good = last_seal.number if last_seal else 0
    reading = _Chain(
        chain, runs=[(1, number)] if previous_link else [], before=intact, good=good
    )
    wrong = list(
        _in_row(seals, {chain: (last_seal.seal, last_seal.computed_hash)} if last_seal else {})
    )
    for seal in seals:
        if doubt := _doubt(seal, has_valid_signature, trusted_keys):
            wrong.append(make_finding(doubt, chain, 0, 0, seal=seal.seal, key=seal.key))
        else:
            reading.seals.setdefault(seal.number, []).append(seal)
    for link in links:
        wrong.extend(reading.read(link))
    wrong.extend(reading.end() if is_last else reading.gaps())
    reached = max((link.number for link in links), default=number)
    last = seals[-1] if seals else last_seal
    keys = frozenset(seal.key for seal in seals)
    return Stretch(
        chain=chain,
        findings=tuple(wrong),
        events=len(links),
        number=reached,
        seal=last.seal if last else 0,
        seal_at=last.at if last else None,
        sealed=reading.good,
        keys=keys,
        is_last=is_last,
    )


def displaced_runs(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The fewest rows that are to be put elsewhere for all to be in order; all but the first run if there are many."""
    if len(runs) > MAX_SORTED_RUNS:
        return (
            [(min(first for first, _ in runs[1:]), max(last for _, last in runs))]
            if has_descent(runs)
            else []
        )
    best: list[tuple[int, tuple[int, ...]]] = []
    for place, (first, last) in enumerate(runs):
        fitting = (
            best[earlier] for earlier in range(place) if runs[earlier][1] < first
        )
        length, before = max(fitting, key=itemgetter(0), default=(0, ()))
        best.append((length + last - first + 1, (*before, place)))
    in_order = set(max(best, key=itemgetter(0), default=(0, ()))[1])
    there = [runs[place] for place in sorted(in_order)]
    moved = (run for place, run in enumerate(runs) if place not in in_order)
    return [
        run
        for run in moved
        if not any(first <= run[0] and run[1] <= last for first, last in there)
    ]


def has_descent(runs: Sequence[tuple[int, int]]) -> bool:
    return any(after[0] <= before[1] for before, after in pairwise(runs))


def classify_changed_rows(changed: Sequence[Link]) -> Iterator[Finding]:
    """Of rows that do not make their hashes, those that changed places with one another, and the rest."""
    moved: set[int] = set()
    if len(changed) <= MAX_COMPARED_ROWS:
        for one, other in combinations(changed, 2):
            if are_exchanged(one, other):
                moved |= {one.number, other.number}
    for link in changed:
        yield make_finding(
            Fault.REORDERED if link.number in moved else Fault.CHANGED,
            link.chain,
            link.number,
            link.number,
        )


def are_exchanged(one: Link, other: Link) -> bool:
    """Whether one row, put into the other's place, makes a hash that stands in either."""
    places = product(
        (one.previous, other.previous), ((one, other.number), (other, one.number))
    )
    made = {
        replace(row, number=number, previous=previous).computed_hash
        for previous, (row, number) in places
    }
    return bool(made & {one.hash, other.hash})


def make_finding(fault: Fault, chain: str, first: int, last: int, **facts: object) -> Finding:
    rows = f"Event {first}" if first == last else f"Events {first} to {last}"
    return Finding(
        fault,
        chain,
        first,
        last,
        FAULT_TEXTS[fault].format(rows=rows, chain=chain, **facts),
        facts,
    )


def _chain(chains: dict[str, _Chain], name: str) -> _Chain:
    return chains.setdefault(name, _Chain(name))


def _doubt(
    seal: Seal, signed: Callable[[Seal], bool], trusted: Sequence[str]
) -> Fault | None:
    if trusted and seal.key not in trusted:
        return Fault.SEAL_UNTRUSTED
    return None if signed(seal) else Fault.SEAL_BROKEN


def _in_row(
    seals: Sequence[Seal], before: Mapping[str, tuple[int, str]] | None = None
) -> Iterator[Finding]:
    """Each seal of a chain holds on to the one before; `before` has the number and hash of the last one read."""
    ends = dict(before or {})
    for seal in seals:
        number, previous = ends.get(seal.chain, (0, NO_PREVIOUS_HASH))
        if (seal.seal, seal.previous) != (number + 1, previous):
            yield make_finding(Fault.SEAL_REMOVED, seal.chain, 0, 0, seal=seal.seal)
        ends[seal.chain] = (seal.seal, seal.computed_hash)
