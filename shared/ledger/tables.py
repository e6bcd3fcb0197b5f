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
    GateRow,
    ModelRow,
    PromotionRow,
    ServingRow,
    ShadowResultRow,
    ShadowRow,
)
from shared.ledger.people.tables import (
    ArrivalRow,
    DoorstepRow,
    PersonRow,
    SessionRow,
    StrangerRow,
)
from shared.ledger.reader_studies.tables import (
    BreachRow,
    ReaderStudyCaseRow,
    ReaderStudyReaderRow,
    ReaderStudyRow,
    ReadingRow,
    ShowingRow,
)
from shared.ledger.schema.tables import TermsRow
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
    "ArrivalRow",
    "AuditRow",
    "BreachRow",
    "CaseRow",
    "CleanedFileRow",
    "DatasetImageRow",
    "DatasetRow",
    "DoorstepRow",
    "ExplanationMapRow",
    "ExplanationRow",
    "GateRow",
    "HospitalRow",
    "JobRow",
    "ModelRow",
    "ObservationRow",
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
    "SealRow",
    "SecretRow",
    "ServingRow",
    "SessionRow",
    "ShadowResultRow",
    "ShadowRow",
    "ShowingRow",
    "StrangerRow",
    "Table",
    "TermsRow",
    "TrainerRow",
    "TrainingRunRow",
    "VersionImageRow",
    "VersionRow",
]
