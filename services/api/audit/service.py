"""Searches, exports and proves the audit trail."""

import base64
import binascii
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.api.audit.schemas import EventView, FaultView, ProofView, StretchView
from services.api.dependencies import Wiring
from services.api.hospitals.named import Names
from services.api.jobs.service import CursorInvalid
from services.api.languages import sentence
from shared.domain.chain import HOUSE, chain_of
from shared.domain.events import Event
from shared.domain.proof import Finding, Stretch
from shared.errors import NotFound
from shared.ledger.audit import AuditTrail, Entry, Recorded, Wanted
from shared.ledger.exporting import Trail
from shared.ledger.hospitals import Caller
from shared.ledger.proving import Place, Prover
from shared.sealing import own_key, signed

PROVE_S, PROVE_MOST = 2.0, 50_000
"""How long one answer may prove, and how many events."""
TOLD_AT_MOST = 50


@dataclass(frozen=True)
class Question:
    """Which events are asked for, as the request has it; a hospital by name or id."""

    hospital: str | None = None
    event: Event | None = None
    actor: str | None = None
    case: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def page(self, question: Question, after: int, limit: int) -> list[EventView]:
        """Oldest first. Raises NotFound for a hospital that is not there, or is another's."""
        with self._open() as (trail, names):
            return [view(each) for each in trail.page(after, limit, wanted(question, names))]

    def newest(self, question: Question, before: int | None, limit: int) -> list[EventView]:
        """Newest first; raises as `page` does."""
        with self._open() as (trail, names):
            return [view(each) for each in trail.newest(before, limit, wanted(question, names))]

    def prove(self, cursor: str | None) -> ProofView:
        """As much of the trail as PROVE_S allows, from the cursor on. Raises CursorInvalid."""
        trusted = own_key(self._wired.settings)
        prover = Prover(
            self._wired.ledger,
            self._who.actor,
            self._who.hospital_id,
            signed=signed,
            trusted=trusted,
        )
        place = _place(cursor)
        if place and not prover.allows(place):
            raise CursorInvalid
        read, until = [], time.monotonic() + PROVE_S
        for each in prover.stretches(place):
            read.append(each)
            if time.monotonic() > until or sum(stretch.events for stretch, _ in read) >= PROVE_MOST:
                break
        following = read[-1][1] if read else None
        return self._proof([stretch for stretch, _ in read], following, bool(trusted))

    def _proof(self, read: Sequence[Stretch], place: Place | None, trusted: bool) -> ProofView:
        with self._open() as (_, names):
            known = {chain_of(hospital): name for hospital, name in names.items()}
        wrong = [fault(each) for stretch in read for each in stretch.wrong]
        return ProofView(
            whole=not wrong,
            wrong=wrong[:TOLD_AT_MOST],
            found=len(wrong),
            chains=joined(read, known),
            keys=sorted({key for stretch in read for key in stretch.keys}),
            trusted=trusted,
            next=place and _cursor(place),
        )

    @contextmanager
    def _open(self) -> Iterator[tuple[AuditTrail, Names]]:
        """The trail that the caller may see, and the names of its hospitals."""
        if self._who.hospital_id:
            with self._wired.ledger.hospital_session(
                self._who.hospital_id, self._who.actor
            ) as hospital_session:
                yield hospital_session.audit, hospital_session.observations.hospitals()
        else:
            with self._wired.ledger.system_session(self._who.actor) as system_session:
                yield system_session.audit, system_session.observations.hospitals()


def view(recorded: Recorded) -> EventView:
    return EventView(**vars(recorded))


def wanted(question: Question, names: Names) -> Wanted:
    """Raises NotFound."""
    return Wanted(
        hospital_id=_hospital(question.hospital, names),
        event=question.event,
        actor=question.actor,
        case_id=question.case,
        since=question.since,
        until=question.until,
    )


def joined(read: Sequence[Stretch], known: dict[str, str]) -> list[StretchView]:
    """Stretches of one chain in one line."""
    lines: dict[str, StretchView] = {}
    for stretch in read:
        before = lines[stretch.chain].events if stretch.chain in lines else 0
        lines[stretch.chain] = StretchView(
            chain=stretch.chain,
            hospital=known.get(stretch.chain),
            events=before + stretch.events,
            number=stretch.number,
            sealed=stretch.sealed,
            sealed_at=datetime.fromisoformat(stretch.seal_at) if stretch.seal_at else None,
            ended=stretch.ended,
        )
    return list(lines.values())


def _hospital(which: str | None, names: Names) -> UUID | None:
    for hospital, name in names.items():
        if which in (name, str(hospital)):
            return hospital
    if which:
        raise NotFound(thing="hospital")
    return None


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(cursor: str | None) -> Place | None:
    """Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        chain, *numbers = json.loads(base64.urlsafe_b64decode(cursor))
        place = Place(chain if chain == HOUSE else str(UUID(chain)), *numbers)
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise CursorInvalid from error
    if not all(type(each) is int and 0 <= each < 2**63 for each in place[1:]):
        raise CursorInvalid
    return place


def export(wired: Wiring, who: Caller, hospital: UUID | None) -> Iterator[str]:
    """The lines, read as they are sent. Raises NotFound for a hospital that there is not, or that is another's."""
    owner = hospital or who.hospital_id
    if who.hospital_id and owner != who.hospital_id:
        raise NotFound(thing="hospital")
    with wired.ledger.system_session(who.actor) as session:
        if owner and owner not in {each.id for each in session.hospitals.all()}:
            raise NotFound(thing="hospital")
        session.audit.record_all([Entry(Event.AUDIT_EXPORTED, owner)])
    return Trail(wired.ledger, who.actor, owner).exported()


def fault(each: Finding) -> FaultView:
    """What was found, said in the caller's language."""
    rows = f"{each.first}" if each.first == each.last else f"{each.first}–{each.last}"
    facts = {"rows": rows, "chain": each.chain, **each.facts}
    said, _ = sentence(f"fault-{each.fault}", facts, each.sentence)
    return FaultView(
        fault=each.fault, chain=each.chain, first=each.first, last=each.last, sentence=said
    )
