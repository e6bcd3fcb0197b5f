"""The tables, by subject."""

from shared.ledger.cases.tables import (
    CaseRow,
    ExplanationMapRow,
    ExplanationRow,
    JobRow,
    ObservationRow,
    OrphanedObjectRow,
    OutcomeRow,
    ReceiptRow,
    ResultRow,
)
from shared.ledger.datasets.tables import (
    CleanedFileRow,
    DatasetImageRow,
    DatasetRow,
    VersionImageRow,
    VersionRow,
)
from shared.ledger.hospitals.tables import (
    ApiKeyRow,
    AuditRow,
    HospitalRow,
    RateLimitRow,
    SealRow,
    SecretRow,
)
from shared.ledger.models.tables import (
    GateJudgementRow,
    ModelRow,
    PromotionRow,
    ServingRow,
    ShadowResultRow,
    ShadowRow,
)
from shared.ledger.people.tables import (
    OidcStateRow,
    PersonRow,
    SessionRow,
    SignInRateLimitRow,
    UnknownNameRow,
)
from shared.ledger.reader_studies.tables import (
    BlindingBreachRow,
    ReaderStudyCaseRow,
    ReaderStudyReaderRow,
    ReaderStudyRow,
    ReadingRow,
    ShowingRow,
)
from shared.ledger.schema.tables import SchemaTermsRow
from shared.ledger.table import AnyRow, AnySelect, Table
from shared.ledger.training.tables import (
    RunEventRow,
    RunStepRow,
    TrainerRow,
    TrainingRunRow,
)

__all__ = [
    "AnyRow",
    "AnySelect",
    "ApiKeyRow",
    "AuditRow",
    "BlindingBreachRow",
    "CaseRow",
    "CleanedFileRow",
    "DatasetImageRow",
    "DatasetRow",
    "ExplanationMapRow",
    "ExplanationRow",
    "GateJudgementRow",
    "HospitalRow",
    "JobRow",
    "ModelRow",
    "ObservationRow",
    "OidcStateRow",
    "OrphanedObjectRow",
    "OutcomeRow",
    "PersonRow",
    "PromotionRow",
    "RateLimitRow",
    "ReaderStudyCaseRow",
    "ReaderStudyReaderRow",
    "ReaderStudyRow",
    "ReadingRow",
    "ReceiptRow",
    "ResultRow",
    "RunEventRow",
    "RunStepRow",
    "SchemaTermsRow",
    "SealRow",
    "SecretRow",
    "ServingRow",
    "SessionRow",
    "ShadowResultRow",
    "ShadowRow",
    "ShowingRow",
    "SignInRateLimitRow",
    "Table",
    "TrainerRow",
    "TrainingRunRow",
    "UnknownNameRow",
    "VersionImageRow",
    "VersionRow",
]
