"""One transaction at a time: scoped to a hospital for its requests, or the whole house for services and operators."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from shared.ledger.allowances import Allowance
from shared.ledger.audit import AuditTrail
from shared.ledger.cases import Cases
from shared.ledger.cleanings import Cleanings
from shared.ledger.consents import Consents
from shared.ledger.datasets import Datasets
from shared.ledger.drafts import Drafts
from shared.ledger.explanations import ExplanationQueue, Explanations
from shared.ledger.faults import named
from shared.ledger.gates import Gates
from shared.ledger.hospitals import Hospitals
from shared.ledger.jobs import Jobs
from shared.ledger.keys import Keys
from shared.ledger.liveness import Liveness
from shared.ledger.models import Models
from shared.ledger.observations import Observations
from shared.ledger.outcomes import Outcomes
from shared.ledger.papers import Papers
from shared.ledger.pseudonyms import Pseudonyms
from shared.ledger.queue import Queue
from shared.ledger.receipts import Receipts
from shared.ledger.seals import Seals
from shared.ledger.serving import Serving
from shared.ledger.shadows import Shadows
from shared.ledger.standing import HOUSE, of_hospital, take
from shared.ledger.steps import Steps
from shared.ledger.training import TrainingRuns
from shared.ledger.versions import Versions

WAIT_S = 10.0
CONNECT = {"connect_timeout": 5, "tcp_user_timeout": 20_000, "keepalives_idle": 20}
"""A server whose machine is gone says nothing: seconds to connect, milliseconds for it to acknowledge, seconds of quiet
before it is asked whether it is there."""


@dataclass(frozen=True)
class Book:
    """What one hospital may see and write, inside one transaction."""

    cases: Cases
    jobs: Jobs
    receipts: Receipts
    explanations: Explanations
    outcomes: Outcomes
    observations: Observations
    allowance: Allowance
    keys: Keys
    audit: AuditTrail
    seals: Seals


@dataclass(frozen=True)
class House:
    """What services and operators see: every hospital, inside one transaction."""

    hospitals: Hospitals
    keys: Keys
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
    observations: Observations
    explanations: ExplanationQueue
    liveness: Liveness
    audit: AuditTrail
    seals: Seals


class Ledger:
    """The system of record."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        # No ping before use: taking on a role is the first thing every transaction does, and shows it as well.
        pool = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": WAIT_S}
        self.engine = create_engine(url, hide_parameters=True, connect_args=CONNECT, **pool)

    @contextmanager
    def scoped(self, hospital: UUID, actor: str) -> Iterator[Book]:
        """A transaction in which only this hospital's rows exist."""
        with self._transaction(of_hospital(hospital)) as session:
            audit = AuditTrail(session, actor, hospital)
            yield Book(
                Cases(session, hospital),
                Jobs(session, hospital, audit),
                Receipts(session, hospital),
                Explanations(session, hospital),
                Outcomes(session, hospital, audit, actor),
                Observations(session, audit, hospital),
                Allowance(session, hospital),
                Keys(session, audit, hospital),
                audit,
                Seals(session, hospital),
            )
            audit.write()

    @contextmanager
    def whole(self, actor: str) -> Iterator[House]:
        """A transaction over every hospital, for services and operators."""
        with self._transaction(HOUSE) as session:
            audit = AuditTrail(session, actor)
            shadows = Shadows(session, audit)
            yield House(
                Hospitals(session, audit),
                Keys(session, audit),
                Queue(session, audit),
                Datasets(session, audit),
                Drafts(session, audit),
                Consents(session, audit),
                Cleanings(session, audit),
                Pseudonyms(session),
                Versions(session, audit, actor),
                TrainingRuns(session, audit),
                Steps(session, audit),
                Models(session, audit, shadows),
                Papers(session),
                Gates(session, audit),
                shadows,
                Serving(session, audit),
                Observations(session, audit),
                ExplanationQueue(session),
                Liveness(session),
                audit,
                Seals(session),
            )
            audit.write()

    def ping(self) -> None:
        """Raise Unavailable unless the database answers."""
        with self._transaction(HOUSE):
            pass

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _transaction(self, standing: str) -> Iterator[Session]:
        try:
            with self._begun(standing) as session:
                yield session
                session.commit()
        except (DBAPIError, PoolTimeout, PendingRollbackError) as error:
            if fault := named(error):
                raise fault from error
            raise

    def _begun(self, standing: str) -> Session:
        """A transaction that has its standing; where the pool's connection had died, on a new one."""
        try:
            return self._begin(standing)
        except DBAPIError as lost:
            if not lost.connection_invalidated:
                raise
        return self._begin(standing)

    def _begin(self, standing: str) -> Session:
        session = Session(self.engine, expire_on_commit=False)
        try:
            take(session, standing)
        except BaseException:
            session.close()
            raise
        return session
