"""One transaction at a time: scoped to a hospital for its requests, or the whole house for services and operators."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.ledger.allowances import Allowance
from shared.ledger.arrivals import Arrivals
from shared.ledger.audit import AuditTrail
from shared.ledger.authenticators import Authenticators
from shared.ledger.backlog import Backlog
from shared.ledger.cases import Cases
from shared.ledger.cleanings import Cleanings
from shared.ledger.composition import Compositions
from shared.ledger.consents import Consents
from shared.ledger.datasets import Datasets
from shared.ledger.drafts import Drafts
from shared.ledger.erasures import Erasures, Retention
from shared.ledger.explanations import ExplanationQueue, Explanations
from shared.ledger.figures import Figures
from shared.ledger.gates import Gates
from shared.ledger.hospitals import Hospitals
from shared.ledger.jobs import Jobs
from shared.ledger.keys import Keys
from shared.ledger.liveness import Liveness
from shared.ledger.models import Models
from shared.ledger.observations import Observations
from shared.ledger.once import Asked, Once, current
from shared.ledger.orphans import Orphans
from shared.ledger.outcomes import Outcomes
from shared.ledger.papers import Papers
from shared.ledger.people import People
from shared.ledger.pseudonyms import Pseudonyms
from shared.ledger.queue import Queue
from shared.ledger.reader_studies import ReaderStudies
from shared.ledger.readings import Readings
from shared.ledger.receipts import Receipts
from shared.ledger.seals import Seals
from shared.ledger.serving import Serving
from shared.ledger.sessions import Sessions
from shared.ledger.shadows import Shadows
from shared.ledger.signins import SignIns
from shared.ledger.similar import SimilarCases
from shared.ledger.standing import HOUSE, of_hospital, reachable, take
from shared.ledger.steps import Steps
from shared.ledger.terms import Terms
from shared.ledger.trainers import Trainers
from shared.ledger.training import TrainingRuns
from shared.ledger.versions import Versions
from shared.ledger.wall import Wall
from shared.ledger.worklist import Worklist

WAIT_S = 10.0
CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 20_000, "keepalives_idle": 20}
"""A server whose machine is gone says nothing: seconds to connect, milliseconds for it to acknowledge, seconds of quiet
before it is asked whether it is there."""


@dataclass(frozen=True)
class HospitalSession:
    """What one hospital may see and write, inside one transaction."""

    cases: Cases
    jobs: Jobs
    worklist: Worklist
    receipts: Receipts
    explanations: Explanations
    outcomes: Outcomes
    erasures: Erasures
    orphans: Orphans
    observations: Observations
    allowance: Allowance
    keys: Keys
    people: People
    similar: SimilarCases
    audit: AuditTrail
    seals: Seals
    wall: Wall
    reader_studies: ReaderStudies
    readings: Readings


@dataclass(frozen=True)
class SystemSession:
    """What services and operators see: every hospital, inside one transaction."""

    hospitals: Hospitals
    keys: Keys
    people: People
    sessions: Sessions
    sign_ins: SignIns
    authenticators: Authenticators
    arrivals: Arrivals
    queue: Queue
    datasets: Datasets
    drafts: Drafts
    consents: Consents
    cleanings: Cleanings
    pseudonyms: Pseudonyms
    versions: Versions
    runs: TrainingRuns
    steps: Steps
    models: Models
    papers: Papers
    gates: Gates
    shadows: Shadows
    serving: Serving
    trainers: Trainers
    compositions: Compositions
    observations: Observations
    explanations: ExplanationQueue
    retention: Retention
    orphans: Orphans
    liveness: Liveness
    audit: AuditTrail
    seals: Seals
    receipts: Receipts
    backlog: Backlog
    figures: Figures
    wall: Wall
    terms: Terms


class Ledger:
    """The system of record."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        # No ping before use: taking on a role is the first thing every transaction does, and shows it as well.
        pool = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": WAIT_S}
        self.engine = create_engine(url, hide_parameters=True, connect_args=CONNECT, **pool)
        self._joins = True

    def apart(self) -> "Ledger":
        """The same ledger in transactions of their own, which count whatever becomes of the request around them."""
        ledger = copy(self)
        ledger._joins = False
        return ledger

    def once(self, asked: Asked, fingerprint: Callable[[], str]) -> Once:
        """What a request with an Idempotency-Key does; it takes effect where `ONCE` is set to it."""
        return Once(self.engine, asked, fingerprint)

    @contextmanager
    def hospital_session(self, hospital: UUID, actor: str) -> Iterator[HospitalSession]:
        """A transaction in which only this hospital's rows exist."""
        with self._transaction(of_hospital(hospital)) as session:
            audit = AuditTrail(session, actor, hospital)
            yield HospitalSession(
                Cases(session, hospital),
                Jobs(session, hospital, audit),
                Worklist(session, hospital),
                Receipts(session, hospital),
                Explanations(session, hospital),
                Outcomes(session, hospital, audit, actor),
                Erasures(session, hospital, audit, actor),
                Orphans(session),
                Observations(session, audit, hospital),
                Allowance(session, hospital),
                Keys(session, audit, hospital),
                People(session, audit, hospital),
                SimilarCases(session, hospital),
                audit,
                Seals(session, hospital),
                Wall(session, hospital),
                ReaderStudies(session, hospital, audit),
                Readings(session, hospital, audit),
            )
            self._tell(audit)

    @contextmanager
    def system_session(self, actor: str) -> Iterator[SystemSession]:
        """A transaction over every hospital, for services and operators."""
        with self._transaction(HOUSE) as session:
            audit = AuditTrail(session, actor)
            shadows, pseudonyms = Shadows(session, audit), Pseudonyms(session)
            yield SystemSession(
                Hospitals(session, audit),
                Keys(session, audit),
                People(session, audit),
                Sessions(session, audit),
                SignIns(session, audit, pseudonyms),
                Authenticators(session, audit),
                Arrivals(session),
                Queue(session, audit),
                Datasets(session, audit),
                Drafts(session, audit),
                Consents(session, audit),
                Cleanings(session, audit),
                pseudonyms,
                Versions(session, audit, actor),
                TrainingRuns(session, audit),
                Steps(session, audit),
                Models(session, audit, shadows),
                Papers(session),
                Gates(session, audit),
                shadows,
                Serving(session, audit),
                Trainers(session),
                Compositions(session),
                Observations(session, audit),
                ExplanationQueue(session),
                Retention(session, audit, actor),
                Orphans(session),
                Liveness(session),
                audit,
                Seals(session),
                Receipts(session),
                Backlog(session),
                Figures(session),
                Wall(session),
                Terms(session),
            )
            self._tell(audit)

    def ping(self) -> None:
        """Raise Unavailable unless the database answers."""
        with self._transaction(HOUSE):
            pass

    def close(self) -> None:
        self.engine.dispose()

    def _tell(self, audit: AuditTrail) -> None:
        once = self._once()
        if once is None:
            audit.write()
        else:
            once.tell(audit)

    def _once(self) -> Once | None:
        return current() if self._joins else None

    @contextmanager
    def _transaction(self, standing: str) -> Iterator[Session]:
        with reachable(), self._stood(standing), self._begun(standing) as session:
            yield session
            session.commit()

    @contextmanager
    def _stood(self, standing: str) -> Iterator[None]:
        """In a request that is done once, whoever is around this transaction has its own standing again after it."""
        once = self._once()
        if once is None:
            yield
            return
        once.enter(standing)
        try:
            yield
        finally:
            once.leave()

    def _begun(self, standing: str) -> Session:
        """A transaction that has its standing; where the pool's connection had died, on a new one."""
        try:
            return self._begin(standing)
        except DBAPIError as lost:
            if not lost.connection_invalidated:
                raise
        return self._begin(standing)

    def _begin(self, standing: str) -> Session:
        once = self._once()
        bind = self.engine if once is None else once.connection()
        session = Session(bind, join_transaction_mode="create_savepoint", expire_on_commit=False)
        try:
            take(session, standing)
        except BaseException:
            session.close()
            raise
        return session
