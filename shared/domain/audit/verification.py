"""Verifies chains of audit events: finds every row that was changed, removed or moved.

The hashes prove that the rows are consistent with one another. The seals prove that the rows have
not changed since the time of the seal. Without seals, anybody who may write to the database could
rebuild a whole chain, or remove its end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations, pairwise, product
from operator import itemgetter

from shared.domain.audit.chain import NO_PREVIOUS_HASH, Link, Seal
from shared.domain.audit.late_seals import LateSeal

MAX_COMPARED_ROWS = 300
"""If at most this many rows were changed, they are compared with one another, to distinguish rows
that exchanged their places from rewritten rows.
"""
MAX_SORTED_RUNS = 1000
"""If there are at most this many unbroken runs of rows, each displaced run is reported on its own.
"""


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
    SEALS_CUT = "seals-cut"
    SEALS_REWRITTEN = "seals-rewritten"
    RESULT_CHANGED = "result-changed"
    RESULT_REMOVED = "result-removed"
    RESULT_ADDED = "result-added"


FAULT_TEXTS = {
    Fault.CHANGED: (
        "{rows} of chain {chain} was changed: what it says does not make its hash."
    ),
    Fault.REPLACED: (
        "{rows} of chain {chain} was replaced: the event after it was chained to a different one."
    ),
    Fault.FORGED: (
        "{rows} of chain {chain} was not its first: it was chained to an event that is not there."
    ),
    Fault.REMOVED: "{rows} of chain {chain}: removed.",
    Fault.REORDERED: "{rows} of chain {chain}: moved to another place.",
    Fault.REPEATED: "{rows} of chain {chain}: there more than once.",
    Fault.CUT: (
        "{rows} of chain {chain}: removed from its end, for the seal {seal} of {at} had seen the "
        "last of them."
    ),
    Fault.REWRITTEN: (
        "{rows} of chain {chain}: rewritten, all or some, for the seal {seal} of {at} saw another "
        "event."
    ),
    Fault.INCOMPLETE: (
        "The file does not end as it was written: lines of it are missing or were added."
    ),
    Fault.SEAL_BROKEN: (
        "The seal {seal} of chain {chain} was changed: its signature does not belong to it."
    ),
    Fault.SEAL_REMOVED: (
        "Before the seal {seal} of chain {chain} another was removed or replaced."
    ),
    Fault.SEAL_UNTRUSTED: (
        "The seal {seal} of chain {chain} was made with the key {key}, which is none of those "
        "given."
    ),
    Fault.SEALS_CUT: (
        "The seals from the {seal} of {at} on were removed from the series of all chains: {place} "
        "has that one."
    ),
    Fault.SEALS_REWRITTEN: (
        "The seal {seal} of {at} of all chains is not the one that {place} has: the series was "
        "made anew."
    ),
    Fault.RESULT_CHANGED: (
        "{rows} of chain {chain}: the result of the job {job}, or what it was computed from, was "
        "changed since."
    ),
    Fault.RESULT_REMOVED: (
        "{rows} of chain {chain}: the result of the job {job} was removed, and its case was not "
        "erased."
    ),
    Fault.RESULT_ADDED: (
        "The job {job} of chain {chain} has a result that no event of the trail vouches for."
    ),
}


@dataclass(frozen=True)
class Finding:
    """A fault with the first and last row that it affects.

    Both numbers are 0 if the fault affects only a seal.
    """

    fault: Fault
    chain: str
    first_number: int
    last_number: int
    sentence: str
    facts: Mapping[str, object] = field(default_factory=dict, compare=False)
    """The other values in the sentence, for its translation."""


@dataclass(frozen=True)
class Findings:
    """The result of a verification.

    `sealed_numbers` has the number of the last sealed event of each chain. A seal proves that the
    events up to this number are unchanged. Of later events only the consistency was verified.
    """

    findings: tuple[Finding, ...]
    event_counts: dict[str, int]
    sealed_numbers: dict[str, int]
    keys: tuple[str, ...]
    late_seals: tuple[LateSeal, ...] = ()
    """Events without a seal of their time. They are named, and are no fault."""

    @property
    def is_intact(self) -> bool:
        return not self.findings


@dataclass
class _Chain:
    """The state of reading one chain.

    Attributes
    ----------
    seals : trusted seals by the number of the event that they seal
    runs : first and last number of each unbroken run of events, in the order of reading
    previous_link : the previous event; None if its content does not match its hash
    sealed_number : number of the last event that a seal confirms
    is_rewritten : an event differs from its seal, and this was reported
    changed_links : events whose content does not match their hash
    """

    name: str
    seals: dict[int, list[Seal]] = field(default_factory=dict)
    runs: list[tuple[int, int]] = field(default_factory=list)
    previous_link: Link | None = None
    count: int = 0
    sealed_number: int = 0
    is_rewritten: bool = False
    changed_links: list[Link] = field(default_factory=list)

    def add_event(self, link: Link) -> Iterator[Finding]:
        """Check the next event.

        The number of a changed event is used only if it is the expected number.
        """
        self.count += 1
        is_intact = link.computed_hash == link.hash
        is_expected = link.number == self._next_number
        if is_intact:
            yield from self._check_chaining(link)
        else:
            self.changed_links.append(link)
        if is_intact or is_expected:
            self._extend_runs(link.number)
            yield from self._check_seals(link)
        self.previous_link = link if is_intact else None

    def end(self) -> Iterator[Finding]:
        """Yield the findings that need the whole chain."""
        yield from self.gaps()
        last_event = max((last for _, last in self.runs), default=0)
        last_sealed = max(self.seals, default=0)
        if last_sealed > last_event:
            seal = self.seals[last_sealed][0]
            yield make_finding(
                Fault.CUT,
                self.name,
                first=last_event + 1,
                last=last_sealed,
                seal=seal.seal,
                at=seal.at,
            )

    def gaps(self) -> Iterator[Finding]:
        """Yield the findings that need all events of a stretch."""
        yield from classify_changed_rows(self.changed_links)
        for first, last in displaced_runs(self.runs):
            yield make_finding(Fault.REORDERED, self.name, first=first, last=last)
        highest = 0
        for first, last in sorted(self.runs):
            if first > highest + 1:
                yield make_finding(
                    Fault.REMOVED, self.name, first=highest + 1, last=first - 1
                )
            if first <= highest:
                yield make_finding(
                    Fault.REPEATED, self.name, first=first, last=min(last, highest)
                )
            highest = max(highest, last)

    @property
    def _next_number(self) -> int:
        return self.runs[-1][1] + 1 if self.runs else 1

    def _extend_runs(self, number: int) -> None:
        if self.runs and number == self._next_number:
            first, _ = self.runs[-1]
            self.runs[-1] = (first, number)
        else:
            self.runs.append((number, number))

    def _check_chaining(self, link: Link) -> Iterator[Finding]:
        """Check that an intact event is chained to the previous event."""
        previous = self.previous_link
        if link.number == 1 and link.previous != NO_PREVIOUS_HASH:
            yield make_finding(Fault.FORGED, self.name, first=1, last=1)
        elif previous is None or previous.number != link.number - 1:
            return
        elif previous.hash != link.previous:
            yield make_finding(
                Fault.REPLACED, self.name, first=previous.number, last=previous.number
            )

    def _check_seals(self, link: Link) -> Iterator[Finding]:
        """Check that the seals of an event have its hash; report the first seal that differs."""
        for seal in self.seals.get(link.number, ()):
            if link.hash == seal.hash:
                self.sealed_number = max(self.sealed_number, link.number)
            elif not self.is_rewritten:
                self.is_rewritten = True
                yield make_finding(
                    Fault.REWRITTEN,
                    self.name,
                    first=self.sealed_number + 1,
                    last=link.number,
                    seal=seal.seal,
                    at=seal.at,
                )


def verify(
    links: Iterable[Link],
    seals: Sequence[Seal],
    has_valid_signature: Callable[[Seal], bool],
    trusted_keys: Sequence[str] = (),
    witnesses: Sequence[Seal] = (),
    heads: Sequence[Seal] = (),
) -> Findings:
    """Verify all chains, each in the order of its events.

    Parameters
    ----------
    has_valid_signature : whether the key that a seal names made its signature
    trusted_keys : a seal by another key is a fault; if empty, every key is trusted
    witnesses : seals that are stored elsewhere; they are used like the seals of the chain
    heads : what the series of all chains vouches for; their signatures are not verified here
    """
    chains: dict[str, _Chain] = {}
    findings = list(_check_seal_order(seals))
    for seal in dict.fromkeys((*seals, *witnesses)):
        fault = _seal_fault(seal, has_valid_signature, trusted_keys)
        if fault:
            findings.append(_seal_finding(fault, seal))
        else:
            chain = _find_or_add_chain(chains, seal.chain)
            chain.seals.setdefault(seal.number, []).append(seal)
    for head in heads:
        chain = _find_or_add_chain(chains, head.chain)
        chain.seals.setdefault(head.number, []).append(head)
    for link in links:
        findings.extend(_find_or_add_chain(chains, link.chain).add_event(link))
    for chain in chains.values():
        findings.extend(chain.end())
    keys = {seal.key for seal in (*seals, *witnesses)}
    return Findings(
        findings=tuple(findings),
        event_counts={chain.name: chain.count for chain in chains.values()},
        sealed_numbers={chain.name: chain.sealed_number for chain in chains.values()},
        keys=tuple(sorted(keys)),
    )


@dataclass(frozen=True)
class Stretch:
    """The result of verifying a part of one chain.

    The next stretch begins after the event `last_number` and the seal `last_seal`.
    """

    chain: str
    findings: tuple[Finding, ...]
    event_count: int
    last_number: int
    last_seal: int
    sealed_at: str | None
    sealed_number: int
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
    """Verify a part of one chain.

    `links` are the events after `previous_link`, and `seals` are the seals after `last_seal`, both
    in their order. `is_last` is true for the last part of the chain. Together the stretches of a
    chain find every fault that `verify` finds, but they may classify it differently: rows that
    exchanged their places are recognised only within a stretch.
    """
    previous_number = previous_link.number if previous_link else 0
    state = _Chain(chain, sealed_number=last_seal.number if last_seal else 0)
    if previous_link:
        state.runs = [(1, previous_number)]
        if previous_link.computed_hash == previous_link.hash:
            state.previous_link = previous_link
    heads = {chain: (last_seal.seal, last_seal.computed_hash)} if last_seal else {}
    findings = list(_check_seal_order(seals, heads))
    for seal in seals:
        fault = _seal_fault(seal, has_valid_signature, trusted_keys)
        if fault:
            findings.append(
                make_finding(
                    fault, chain, first=0, last=0, seal=seal.seal, key=seal.key
                )
            )
        else:
            state.seals.setdefault(seal.number, []).append(seal)
    for link in links:
        findings.extend(state.add_event(link))
    findings.extend(state.end() if is_last else state.gaps())
    newest_seal = seals[-1] if seals else last_seal
    return Stretch(
        chain=chain,
        findings=tuple(findings),
        event_count=len(links),
        last_number=max((link.number for link in links), default=previous_number),
        last_seal=newest_seal.seal if newest_seal else 0,
        sealed_at=newest_seal.at if newest_seal else None,
        sealed_number=state.sealed_number,
        keys=frozenset(seal.key for seal in seals),
        is_last=is_last,
    )


def displaced_runs(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the runs that must move so that all runs are in order, with as few rows as possible.

    If there are more than MAX_SORTED_RUNS runs, return one run that covers all but the first.
    """
    if len(runs) > MAX_SORTED_RUNS:
        if not has_descent(runs):
            return []
        lowest = min(first for first, _ in runs[1:])
        highest = max(last for _, last in runs)
        return [(lowest, highest)]
    ordered = _longest_ordered_runs(runs)
    ordered_runs = [runs[index] for index in sorted(ordered)]
    displaced = []
    for index, run in enumerate(runs):
        if index not in ordered and not _is_within(run, ordered_runs):
            displaced.append(run)
    return displaced


def _longest_ordered_runs(runs: Sequence[tuple[int, int]]) -> set[int]:
    """Indices of the runs, in ascending order, that have the most rows together."""
    # For each run: the rows and the indices of the longest ascending sequence that ends with it.
    sequences: list[tuple[int, tuple[int, ...]]] = []
    for index, (first, last) in enumerate(runs):
        predecessors = [
            sequences[earlier] for earlier in range(index) if runs[earlier][1] < first
        ]
        length, indices = max(predecessors, key=itemgetter(0), default=(0, ()))
        sequences.append((length + last - first + 1, (*indices, index)))
    _, longest = max(sequences, key=itemgetter(0), default=(0, ()))
    return set(longest)


def _is_within(run: tuple[int, int], runs: Sequence[tuple[int, int]]) -> bool:
    return any(first <= run[0] and run[1] <= last for first, last in runs)


def has_descent(runs: Sequence[tuple[int, int]]) -> bool:
    """Whether a run begins at or below the end of the run before it."""
    return any(run[0] <= previous[1] for previous, run in pairwise(runs))


def classify_changed_rows(changed: Sequence[Link]) -> Iterator[Finding]:
    """Report rows whose content does not match their hash as exchanged or as changed."""
    exchanged_numbers: set[int] = set()
    if len(changed) <= MAX_COMPARED_ROWS:
        for first, second in combinations(changed, 2):
            if are_exchanged(first, second):
                exchanged_numbers |= {first.number, second.number}
    for link in changed:
        is_exchanged = link.number in exchanged_numbers
        yield make_finding(
            Fault.REORDERED if is_exchanged else Fault.CHANGED,
            link.chain,
            first=link.number,
            last=link.number,
        )


def are_exchanged(first: Link, second: Link) -> bool:
    """Whether one row has, in the place of the other row, a hash that one of the two rows has."""
    previous_hashes = (first.previous, second.previous)
    renumbered = (
        replace(first, number=second.number),
        replace(second, number=first.number),
    )
    possible_hashes = set()
    for previous, link in product(previous_hashes, renumbered):
        possible_hashes.add(replace(link, previous=previous).computed_hash)
    return bool(possible_hashes & {first.hash, second.hash})


def make_finding(
    fault: Fault, chain: str, first: int, last: int, **facts: object
) -> Finding:
    rows = f"Event {first}" if first == last else f"Events {first} to {last}"
    sentence = FAULT_TEXTS[fault].format(rows=rows, chain=chain, **facts)
    return Finding(
        fault=fault,
        chain=chain,
        first_number=first,
        last_number=last,
        sentence=sentence,
        facts=facts,
    )


def _find_or_add_chain(chains: dict[str, _Chain], name: str) -> _Chain:
    return chains.setdefault(name, _Chain(name))


def _seal_fault(
    seal: Seal,
    has_valid_signature: Callable[[Seal], bool],
    trusted_keys: Sequence[str],
) -> Fault | None:
    if trusted_keys and seal.key not in trusted_keys:
        return Fault.SEAL_UNTRUSTED
    return None if has_valid_signature(seal) else Fault.SEAL_BROKEN


def _seal_finding(fault: Fault, seal: Seal) -> Finding:
    return make_finding(
        fault, seal.chain, first=0, last=0, seal=seal.seal, key=seal.key
    )


def _check_seal_order(
    seals: Sequence[Seal], heads: Mapping[str, tuple[int, str]] | None = None
) -> Iterator[Finding]:
    """Check that each seal of a chain refers to the previous seal.

    `heads` has the number and hash of the seal before the first of `seals`, by chain.
    """
    head_by_chain = dict(heads or {})
    for seal in seals:
        number, previous = head_by_chain.get(seal.chain, (0, NO_PREVIOUS_HASH))
        if (seal.seal, seal.previous) != (number + 1, previous):
            yield make_finding(
                Fault.SEAL_REMOVED, seal.chain, first=0, last=0, seal=seal.seal
            )
        head_by_chain[seal.chain] = (seal.seal, seal.computed_hash)
