"""The repositories of services and operators, over every hospital."""

from shared.ledger.audit.repository import AuditTrail
from shared.ledger.audit.seals import Seals
from shared.ledger.cases.cleaned_files import CleanedFiles
from shared.ledger.cases.erasures import Retention
from shared.ledger.cases.explanations import ExplanationQueue
from shared.ledger.cases.orphaned_objects import OrphanedObjects
from shared.ledger.datasets.composition import Compositions
from shared.ledger.datasets.consents import Consents
from shared.ledger.datasets.drafts import Drafts
from shared.ledger.datasets.pseudonyms import Pseudonyms
from shared.ledger.datasets.repository import Datasets
from shared.ledger.datasets.versions import Versions
from shared.ledger.db_role import SYSTEM
from shared.ledger.hospitals.api_keys import ApiKeys
from shared.ledger.hospitals.repository import Hospitals
from shared.ledger.idempotency.receipts import Receipts
from shared.ledger.jobs.backlog import Backlog
from shared.ledger.jobs.dead_letters import DeadLetters
from shared.ledger.jobs.liveness import Liveness
from shared.ledger.jobs.queue import JobQueue
from shared.ledger.models.gate_judgements import GateJudgements
from shared.ledger.models.metadata import ModelMetadata
from shared.ledger.models.repository import Models
from shared.ledger.models.serving import Serving
from shared.ledger.models.shadows import Shadows
from shared.ledger.monitoring.metrics_queries import MetricsQueries
from shared.ledger.monitoring.observations import Observations
from shared.ledger.monitoring.wallboard import Wallboard
from shared.ledger.people.authenticators import Authenticators
from shared.ledger.people.oidc_states import OidcStates
from shared.ledger.people.repository import People
from shared.ledger.people.sessions import Sessions
from shared.ledger.people.sign_ins import SignIns
from shared.ledger.previews.outline_queue import ExpiredPreviews, OutlineQueue
from shared.ledger.schema.terms import SchemaTerms
from shared.ledger.training.runs import TrainingRuns
from shared.ledger.training.steps import Steps
from shared.ledger.training.trainers import Trainers
from shared.ledger.transaction import LedgerSession, Transaction, repository


class SystemSession(LedgerSession):
    """The ledger as the system sees it: every hospital's rows, and the rows of no hospital."""

    def __init__(self, transaction: Transaction, actor: str) -> None:
        super().__init__(transaction, SYSTEM, actor)

    @repository
    def hospitals(self) -> Hospitals:
        return Hospitals(self.sql, self.trail)

    @repository
    def api_keys(self) -> ApiKeys:
        return ApiKeys(self.sql, self.trail)

    @repository
    def people(self) -> People:
        return People(self.sql, self.trail)

    @repository
    def sessions(self) -> Sessions:
        return Sessions(self.sql, self.trail)

    @repository
    def sign_ins(self) -> SignIns:
        return SignIns(self.sql, self.trail, self.pseudonyms)

    @repository
    def authenticators(self) -> Authenticators:
        return Authenticators(self.sql, self.trail)

    @repository
    def oidc_states(self) -> OidcStates:
        return OidcStates(self.sql)

    @repository
    def queue(self) -> JobQueue:
        return JobQueue(self.sql, self.trail)

    @repository
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.sql, self.trail)

    @repository
    def datasets(self) -> Datasets:
        return Datasets(self.sql, self.trail)

    @repository
    def drafts(self) -> Drafts:
        return Drafts(self.sql, self.trail)

    @repository
    def consents(self) -> Consents:
        return Consents(self.sql, self.trail)

    @repository
    def cleaned_files(self) -> CleanedFiles:
        return CleanedFiles(self.sql, self.trail)

    @repository
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.sql)

    @repository
    def versions(self) -> Versions:
        return Versions(self.sql, self.trail, self.actor)

    @repository
    def runs(self) -> TrainingRuns:
        return TrainingRuns(self.sql, self.trail)

    @repository
    def steps(self) -> Steps:
        return Steps(self.sql, self.trail)

    @repository
    def models(self) -> Models:
        return Models(self.sql, self.trail, self.shadows)

    @repository
    def model_metadata(self) -> ModelMetadata:
        return ModelMetadata(self.sql)

    @repository
    def gate_judgements(self) -> GateJudgements:
        return GateJudgements(self.sql, self.trail)

    @repository
    def shadows(self) -> Shadows:
        return Shadows(self.sql, self.trail)

    @repository
    def serving(self) -> Serving:
        return Serving(self.sql, self.trail)

    @repository
    def trainers(self) -> Trainers:
        return Trainers(self.sql)

    @repository
    def compositions(self) -> Compositions:
        return Compositions(self.sql)

    @repository
    def observations(self) -> Observations:
        return Observations(self.sql, self.trail)

    @repository
    def explanation_queue(self) -> ExplanationQueue:
        return ExplanationQueue(self.sql)

    @repository
    def outline_queue(self) -> OutlineQueue:
        return OutlineQueue(self.sql)

    @repository
    def expired_previews(self) -> ExpiredPreviews:
        return ExpiredPreviews(self.sql)

    @repository
    def retention(self) -> Retention:
        return Retention(self.sql, self.trail, self.actor)

    @repository
    def orphaned_objects(self) -> OrphanedObjects:
        return OrphanedObjects(self.sql)

    @repository
    def liveness(self) -> Liveness:
        return Liveness(self.sql)

    @repository
    def audit(self) -> AuditTrail:
        return self.trail

    @repository
    def seals(self) -> Seals:
        return Seals(self.sql)

    @repository
    def receipts(self) -> Receipts:
        return Receipts(self.sql)

    @repository
    def backlog(self) -> Backlog:
        return Backlog(self.sql)

    @repository
    def metrics_queries(self) -> MetricsQueries:
        return MetricsQueries(self.sql)

    @repository
    def wallboard(self) -> Wallboard:
        return Wallboard(self.sql)

    @repository
    def schema_terms(self) -> SchemaTerms:
        return SchemaTerms(self.sql)
