"""What one hospital may see and write."""

from uuid import UUID

from shared.ledger.allowances import Allowance
from shared.ledger.audit import AuditTrail
from shared.ledger.cases import Cases
from shared.ledger.db_role import DatabaseRole
from shared.ledger.erasures import Erasures
from shared.ledger.explanations import Explanations
from shared.ledger.jobs import Jobs
from shared.ledger.keys import Keys
from shared.ledger.observations import Observations
from shared.ledger.orphans import Orphans
from shared.ledger.outcomes import Outcomes
from shared.ledger.people import People
from shared.ledger.reader_studies import ReaderStudies
from shared.ledger.readings import Readings
from shared.ledger.receipts import Receipts
from shared.ledger.seals import Seals
from shared.ledger.similar import SimilarCases
from shared.ledger.transaction import LedgerSession, Transaction, repository
from shared.ledger.wall import Wall
from shared.ledger.worklist import Worklist


class HospitalSession(LedgerSession):
    """The ledger as one hospital sees it: only its rows exist."""

    def __init__(self, transaction: Transaction, hospital_id: UUID, actor: str) -> None:
        super().__init__(transaction, DatabaseRole(hospital_id), actor)
        self.hospital_id = hospital_id

    @repository
    def cases(self) -> Cases:
        return Cases(self.sql, self.hospital_id)

    @repository
    def jobs(self) -> Jobs:
        return Jobs(self.sql, self.hospital_id, self.trail)

    @repository
    def worklist(self) -> Worklist:
        return Worklist(self.sql, self.hospital_id)

    @repository
    def receipts(self) -> Receipts:
        return Receipts(self.sql, self.hospital_id)

    @repository
    def explanations(self) -> Explanations:
        return Explanations(self.sql, self.hospital_id)

    @repository
    def outcomes(self) -> Outcomes:
        return Outcomes(self.sql, self.hospital_id, self.trail, self.actor)

    @repository
    def erasures(self) -> Erasures:
        return Erasures(self.sql, self.hospital_id, self.trail, self.actor)

    @repository
    def orphans(self) -> Orphans:
        return Orphans(self.sql)

    @repository
    def observations(self) -> Observations:
        return Observations(self.sql, self.trail, self.hospital_id)

    @repository
    def allowance(self) -> Allowance:
        return Allowance(self.sql, self.hospital_id)

    @repository
    def keys(self) -> Keys:
        return Keys(self.sql, self.trail, self.hospital_id)

    @repository
    def people(self) -> People:
        return People(self.sql, self.trail, self.hospital_id)

    @repository
    def similar(self) -> SimilarCases:
        return SimilarCases(self.sql, self.hospital_id)

    @repository
    def audit(self) -> AuditTrail:
        return self.trail

    @repository
    def seals(self) -> Seals:
        return Seals(self.sql, self.hospital_id)

    @repository
    def wall(self) -> Wall:
        return Wall(self.sql, self.hospital_id)

    @repository
    def reader_studies(self) -> ReaderStudies:
        return ReaderStudies(self.sql, self.hospital_id, self.trail)

    @repository
    def readings(self) -> Readings:
        return Readings(self.sql, self.hospital_id, self.trail)
