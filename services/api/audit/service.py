"""Searches, exports and proves the audit trail."""

import base64
import binascii
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.api.audit.schemas import EventView, FaultView, ProofView, StretchView
from services.api.dependencies import CallerSession
from services.api.hospitals.lookup import Names
from services.api.jobs.service import CursorInvalid
from services.api.locales import sentence
from shared.domain.audit.chain import SYSTEM_CHAIN, chain_name
from shared.domain.audit.events import Event
from shared.domain.audit.verification import Finding, Stretch
from shared.errors import NotFound
from shared.ledger import Ledger, SystemSession
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.repository import AuditEntry, RecordedEvent, EventFilter
from shared.ledger.audit.verification import ChainPosition, AuditVerifier
from shared.ledger.hospitals.repository import Caller
from shared.security.audit_signing import own_public_keys, is_signed
from shared.settings import Settings

PROOF_TIME_S = 2.0
PROOF_MAX_EVENTS = 50_000
"""How long one answer may prove, and how many events."""
MAX_FAULTS_SHOWN = 50


@dataclass(frozen=True)
class AuditQuery:
    """Which events are asked for, as the request has it; a hospital by name or id."""

    hospital: str | None = None
    event: Event | None = None
    actor: str | None = None
    case: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditService:
    """The trail of the session's hospital, or of all and the system's for those who belong to none."""

    def __init__(self, session: CallerSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def page(self, question: AuditQuery, after: int, limit: int) -> list[EventView]:
        """Oldest first. Raises NotFound for a hospital that is not there, or is another's."""
        events = self._session.audit.page(after, limit, event_filter(question, self._names()))
        return [event_view(event) for event in events]

    def newest(
        self, question: AuditQuery, before: int | None, limit: int
    ) -> list[EventView]:
        """Newest first; raises as `page` does."""
        events = self._session.audit.newest(
            before, limit, event_filter(question, self._names())
        )
        return [event_view(event) for event in events]

    def verify(
        self, cursor: str | None, ledger: Ledger, settings: Settings
    ) -> ProofView:
        """As much of the trail as PROVE_S allows, from the cursor on. Raises CursorInvalid.

        The request's transaction ends before: a proof is read in short transactions of its own.
        """
        place = _place(cursor)
        names = self._names()
        self._session.transaction.commit()
        trusted = own_public_keys(settings)
        prover = AuditVerifier(
            ledger,
            self._caller.actor,
            self._caller.hospital_id,
            has_valid_signature=is_signed,
            trusted_keys=trusted,
        )
        if place and not prover.allows(place):
            raise CursorInvalid
        read: list[tuple[Stretch, ChainPosition | None]] = []
        until = time.monotonic() + PROOF_TIME_S
        for part in prover.stretches(place):
            read.append(part)
            if (
                time.monotonic() > until
                or sum(stretch.events for stretch, _ in read) >= PROOF_MAX_EVENTS
            ):
                break
        following = read[-1][1] if read else None
        return _proof([stretch for stretch, _ in read], following, names, bool(trusted))

    def _names(self) -> Names:
        return self._session.observations.hospitals()


def _proof(
    read: Sequence[Stretch], place: ChainPosition | None, names: Names, trusted: bool
) -> ProofView:
    known = {chain_name(hospital): name for hospital, name in names.items()}
    wrong = [fault_view(finding) for stretch in read for finding in stretch.findings]
    return ProofView(
        whole=not wrong,
        wrong=wrong[:MAX_FAULTS_SHOWN],
        found=len(wrong),
        chains=chain_views(read, known),
        keys=sorted({key for stretch in read for key in stretch.keys}),
        trusted=trusted,
        next=_cursor(place) if place else None,
    )


def event_view(recorded: RecordedEvent) -> EventView:
    return EventView(**vars(recorded))


def event_filter(question: AuditQuery, names: Names) -> EventFilter:
    """Raises NotFound."""
    return EventFilter(
        hospital_id=_hospital(question.hospital, names),
        event=question.event,
        actor=question.actor,
        case_id=question.case,
        start=question.since,
        end=question.until,
    )


def chain_views(read: Sequence[Stretch], known: dict[str, str]) -> list[StretchView]:
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
            sealed_at=datetime.fromisoformat(stretch.seal_at)
            if stretch.seal_at
            else None,
            ended=stretch.is_last,
        )
    return list(lines.values())


def _hospital(which: str | None, names: Names) -> UUID | None:
    for hospital, name in names.items():
        if which in (name, str(hospital)):
            return hospital
    if which:
        raise NotFound(thing="hospital")
    return None


def _cursor(place: ChainPosition) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _place(cursor: str | None) -> ChainPosition | None:
    """Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        chain, *numbers = json.loads(base64.urlsafe_b64decode(cursor))
        place = ChainPosition(chain if chain == SYSTEM_CHAIN else str(UUID(chain)), *numbers)
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise CursorInvalid from error
    if not all(type(each) is int and 0 <= each < 2**63 for each in place[1:]):
        raise CursorInvalid
    return place


def export(
    session: SystemSession, ledger: Ledger, caller: Caller, hospital: UUID | None
) -> Iterator[str]:
    """The lines, read as they are sent. Raises NotFound for a hospital that there is not, or that is another's.

    The request's transaction ends here, with the event that says who exports; the lines are read in others.
    """
    owner = hospital or caller.hospital_id
    if caller.hospital_id and owner != caller.hospital_id:
        raise NotFound(thing="hospital")
    if owner and owner not in {known.id for known in session.hospitals.all()}:
        raise NotFound(thing="hospital")
    session.audit.record_all([AuditEntry(Event.AUDIT_EXPORTED, owner)])
    session.transaction.commit()
    return AuditTrailReader(ledger, caller.actor, owner).export_lines()


def fault_view(each: Finding) -> FaultView:
    """What was found, said in the caller's language."""
    rows = f"{each.first}" if each.first == each.last else f"{each.first}–{each.last}"
    facts = {"rows": rows, "chain": each.chain, **each.facts}
    said, _ = sentence(f"fault-{each.fault}", facts, each.sentence)
    return FaultView(
        fault=each.fault,
        chain=each.chain,
        first=each.first,
        last=each.last,
        sentence=said,
    )
