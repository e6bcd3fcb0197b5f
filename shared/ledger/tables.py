"""The tables, by subject."""

from shared.ledger.cases.tables import (
    CaseRow,
    ExplanationMapRow,
    ExplanationRow,
    JobRow,
    ObservationRow,
    OrphanRow,
    OutcomeRow,
    ReceiptRow,
    ResultRow,
)
from shared.ledger.datasets.tables import (
    CleaningRow,
    DatasetImageRow,
    DatasetRow,
    VersionImageRow,
    VersionRow,
)
from shared.ledger.hospitals.tables import (
    AllowanceRow,
    AuditRow,
    HospitalRow,
    KeyRow,
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
    "AllowanceRow",
    "AnyRow",
    "AnySelect",
    "ArrivalRow",
    "AuditRow",
    "BreachRow",
    "CaseRow",
    "CleaningRow",
    "DatasetImageRow",
    "DatasetRow",
    "DoorstepRow",
    "ExplanationMapRow",
    "ExplanationRow",
    "GateRow",
    "HospitalRow",
    "JobRow",
    "KeyRow",
    "ModelRow",
    "ObservationRow",
    "OrphanRow",
    "OutcomeRow",
    "PersonRow",
    "PromotionRow",
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
