"""The repositories of one hospital: only its rows exist in them."""

from uuid import UUID

from shared.ledger.audit.repository import AuditTrail
from shared.ledger.audit.seals import Seals
from shared.ledger.cases.erasures import Erasures
from shared.ledger.cases.explanations import Explanations
from shared.ledger.cases.orphaned_objects import OrphanedObjects
from shared.ledger.cases.outcomes import Outcomes
from shared.ledger.cases.reader_levels import ReaderLevels
from shared.ledger.cases.repository import Cases
from shared.ledger.cases.similar_cases import SimilarCases
from shared.ledger.cases.worklist import Worklist
from shared.ledger.db_role import DatabaseRole
from shared.ledger.hospitals.api_keys import ApiKeys
from shared.ledger.hospitals.rate_limits import RateLimits
from shared.ledger.hospitals.text_policy import TextPolicies
from shared.ledger.idempotency.receipts import Receipts
from shared.ledger.jobs.dead_letters import DeadLetters
from shared.ledger.jobs.repository import Jobs
from shared.ledger.monitoring.observations import Observations
from shared.ledger.monitoring.wallboard import Wallboard
from shared.ledger.people.repository import People
from shared.ledger.previews.repository import Previews
from shared.ledger.reader_studies.readings import Readings
from shared.ledger.reader_studies.repository import ReaderStudies
from shared.ledger.transaction import LedgerSession, Transaction, repository


class HospitalSession(LedgerSession):
    """The ledger as one hospital sees it."""

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
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.sql, self.trail, self.hospital_id)

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
    def previews(self) -> Previews:
        return Previews(self.sql, self.hospital_id)

    @repository
    def outcomes(self) -> Outcomes:
        return Outcomes(self.sql, self.hospital_id, self.trail, self.actor)

    @repository
    def reader_levels(self) -> ReaderLevels:
        return ReaderLevels(self.sql, self.hospital_id, self.trail)

    @repository
    def erasures(self) -> Erasures:
        return Erasures(self.sql, self.hospital_id, self.trail, self.actor)

    @repository
    def orphaned_objects(self) -> OrphanedObjects:
        return OrphanedObjects(self.sql)

    @repository
    def observations(self) -> Observations:
        return Observations(self.sql, self.trail, self.hospital_id)

    @repository
    def rate_limits(self) -> RateLimits:
        return RateLimits(self.sql, self.hospital_id)

    @repository
    def text_policies(self) -> TextPolicies:
        return TextPolicies(self.sql, self.hospital_id)

    @repository
    def api_keys(self) -> ApiKeys:
        return ApiKeys(self.sql, self.trail, self.hospital_id)

    @repository
    def people(self) -> People:
        return People(self.sql, self.trail, self.hospital_id)

    @repository
    def similar_cases(self) -> SimilarCases:
        return SimilarCases(self.sql, self.hospital_id)

    @repository
    def audit(self) -> AuditTrail:
        return self.trail

    @repository
    def seals(self) -> Seals:
        return Seals(self.sql, self.hospital_id)

    @repository
    def wallboard(self) -> Wallboard:
        return Wallboard(self.sql, self.hospital_id)

    @repository
    def reader_studies(self) -> ReaderStudies:
        return ReaderStudies(self.sql, self.hospital_id, self.trail)

    @repository
    def readings(self) -> Readings:
        return Readings(self.sql, self.hospital_id, self.trail)
