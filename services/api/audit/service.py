"""Searches, exports and verifies the audit trail."""

import base64
import binascii
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.api.audit.schemas import (
    ChainSectionView,
    EventView,
    FaultView,
    VerificationView,
)
from services.api.dependencies import CallerSession, Dependencies
from services.api.hospitals.lookup import Names
from services.api.jobs.service import CursorInvalid
from services.api.locales import sentence
from shared.domain.audit.chain import SYSTEM_CHAIN, chain_name
from shared.domain.audit.events import Event
from shared.domain.audit.series import SERIES_CHAIN, Witness
from shared.domain.audit.verification import Finding, Stretch
from shared.errors import NotFound
from shared.ledger import Ledger, SystemSession
from shared.ledger.audit.export import AuditTrailReader
from shared.ledger.audit.repository import AuditEntry, EventFilter, RecordedEvent
from shared.ledger.audit.verification import AuditVerifier, ChainPosition
from shared.ledger.hospitals.repository import Caller
from shared.security.audit_signing import is_signed, own_public_keys
from shared.security.last_seal import last_seal_places, read_witnesses

PROOF_TIME_S = 2.0
PROOF_MAX_EVENTS = 50_000
"""Maximum time in seconds, and number of events, that one request verifies."""
MAX_FAULTS_SHOWN = 50


@dataclass(frozen=True)
class AuditQuery:
    """The filters of a request for events. `hospital` is a name or an id."""

    hospital: str | None = None
    event: Event | None = None
    actor: str | None = None
    case: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditService:
    """Reads the audit trail of the caller's hospital, or of all hospitals if the caller belongs to
    none.
    """

    def __init__(self, session: CallerSession, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def page(self, query: AuditQuery, after_id: int, limit: int) -> list[EventView]:
        """Return events, oldest first. Raises NotFound if the hospital is unknown or not the
        caller's.
        """
        events = self._session.audit.page(
            after_id, limit, event_filter(query, self._names())
        )
        return [event_view(event) for event in events]

    def newest(
        self, query: AuditQuery, before_id: int | None, limit: int
    ) -> list[EventView]:
        """Return events, newest first. Raises NotFound like `page`."""
        events = self._session.audit.newest(
            before_id, limit, event_filter(query, self._names())
        )
        return [event_view(event) for event in events]

    def verify(
        self, cursor: str | None, dependencies: Dependencies
    ) -> VerificationView:
        """Verify the events after the cursor for about PROOF_TIME_S.

        Raises CursorInvalid, WitnessUnreadable, Unavailable.

        The request's transaction ends first, because the events are read in separate short
        transactions.
        """
        position = _position(cursor)
        names = self._names()
        self._session.transaction.commit()
        trusted_keys = own_public_keys(dependencies.settings)
        verifier = AuditVerifier(
            dependencies.ledger,
            self._caller.actor,
            self._caller.hospital_id,
            has_valid_signature=is_signed,
            trusted_keys=trusted_keys,
            witnesses=self._witnesses(dependencies),
        )
        if position and not verifier.allows(position):
            raise CursorInvalid
        stretches: list[Stretch] = []
        next_position: ChainPosition | None = None
        count_events = 0
        deadline = time.monotonic() + PROOF_TIME_S
        for stretch, stretch_end in verifier.stretches(position):
            stretches.append(stretch)
            next_position = stretch_end
            count_events += stretch.event_count
            if time.monotonic() > deadline or count_events >= PROOF_MAX_EVENTS:
                break
        return _verification_view(
            stretches, next_position, names, is_trusted=bool(trusted_keys)
        )

    def _witnesses(self, dependencies: Dependencies) -> list[Witness]:
        """The last seals outside the database, for who may read all chains."""
        if self._caller.hospital_id:
            return []
        return read_witnesses(
            last_seal_places(dependencies.settings, dependencies.objects)
        )

    def _names(self) -> Names:
        return self._session.observations.hospitals()


def _verification_view(
    stretches: Sequence[Stretch],
    next_position: ChainPosition | None,
    names: Names,
    is_trusted: bool,
) -> VerificationView:
    hospitals_by_chain = {
        chain_name(hospital): name for hospital, name in names.items()
    }
    faults: list[FaultView] = []
    keys: set[str] = set()
    for stretch in stretches:
        faults.extend(fault_view(finding) for finding in stretch.findings)
        keys.update(stretch.keys)
    return VerificationView(
        whole=not faults,
        wrong=faults[:MAX_FAULTS_SHOWN],
        found=len(faults),
        chains=chain_views(stretches, hospitals_by_chain),
        keys=sorted(keys),
        trusted=is_trusted,
        next=_cursor(next_position) if next_position else None,
    )


def event_view(recorded: RecordedEvent) -> EventView:
    return EventView(**vars(recorded))


def event_filter(query: AuditQuery, names: Names) -> EventFilter:
    """Raises NotFound."""
    return EventFilter(
        hospital_id=_hospital_id(query.hospital, names),
        event=query.event,
        actor=query.actor,
        case_id=query.case,
        start=query.since,
        end=query.until,
    )


def chain_views(
    stretches: Sequence[Stretch], hospitals_by_chain: dict[str, str]
) -> list[ChainSectionView]:
    """Return one view for each chain. The stretches of one chain are joined."""
    views: dict[str, ChainSectionView] = {}
    for stretch in stretches:
        chain = stretch.chain
        if chain == SERIES_CHAIN:
            continue
        earlier_events = views[chain].events if chain in views else 0
        sealed_at = None
        if stretch.sealed_at:
            sealed_at = datetime.fromisoformat(stretch.sealed_at)
        views[chain] = ChainSectionView(
            chain=chain,
            hospital=hospitals_by_chain.get(chain),
            events=earlier_events + stretch.event_count,
            number=stretch.last_number,
            sealed=stretch.sealed_number,
            sealed_at=sealed_at,
            ended=stretch.is_last,
        )
    return list(views.values())


def _hospital_id(name_or_id: str | None, names: Names) -> UUID | None:
    """Raises NotFound."""
    if not name_or_id:
        return None
    for hospital_id, name in names.items():
        if name_or_id in (name, str(hospital_id)):
            return hospital_id
    raise NotFound(thing="hospital")


def _cursor(position: ChainPosition) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _position(cursor: str | None) -> ChainPosition | None:
    """Raises CursorInvalid."""
    if cursor is None:
        return None
    try:
        chain, *numbers = json.loads(base64.urlsafe_b64decode(cursor))
        if chain not in (SYSTEM_CHAIN, SERIES_CHAIN):
            chain = str(UUID(chain))
        position = ChainPosition(chain, *numbers)
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise CursorInvalid from error
    if not all(type(number) is int and 0 <= number < 2**63 for number in position[1:]):
        raise CursorInvalid
    return position


def export(
    session: SystemSession, ledger: Ledger, caller: Caller, hospital: UUID | None
) -> Iterator[str]:
    """Return the lines of the export. They are read from the database while they are sent.

    The request's transaction records the export and ends here. The lines are read in separate
    transactions. Raises NotFound if the hospital is unknown or not the caller's.
    """
    owner = hospital or caller.hospital_id
    if caller.hospital_id and owner != caller.hospital_id:
        raise NotFound(thing="hospital")
    if owner:
        known_hospitals = session.hospitals.all()
        if owner not in {known_hospital.id for known_hospital in known_hospitals}:
            raise NotFound(thing="hospital")
    session.audit.record_all([AuditEntry(Event.AUDIT_EXPORTED, owner)])
    session.transaction.commit()
    return AuditTrailReader(ledger, caller.actor, owner).export_lines()


def fault_view(finding: Finding) -> FaultView:
    """Return the view of a fault, with its sentence in the caller's language."""
    rows = f"{finding.first_number}"
    if finding.first_number != finding.last_number:
        rows = f"{finding.first_number}–{finding.last_number}"
    facts = {"rows": rows, "chain": finding.chain, **finding.facts}
    worded = sentence(f"fault-{finding.fault}", facts, finding.sentence)
    return FaultView(
        fault=finding.fault,
        chain=finding.chain,
        first=finding.first_number,
        last=finding.last_number,
        sentence=worded.text,
    )
