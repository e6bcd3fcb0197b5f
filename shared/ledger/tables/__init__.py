"""The tables, by subject."""

from shared.ledger.tables.base import AnyRow, AnySelect, Table
from shared.ledger.tables.cases import (
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
from shared.ledger.tables.datasets import (
    CleaningRow,
    DatasetImageRow,
    DatasetRow,
    VersionImageRow,
    VersionRow,
)
from shared.ledger.tables.hospitals import (
    AllowanceRow,
    AuditRow,
    HospitalRow,
    KeyRow,
    SealRow,
    SecretRow,
)
from shared.ledger.tables.models import (
    GateRow,
    ModelRow,
    PromotionRow,
    ServingRow,
    ShadowResultRow,
    ShadowRow,
)
from shared.ledger.tables.people import (
    ArrivalRow,
    DoorstepRow,
    PersonRow,
    SessionRow,
    StrangerRow,
)
from shared.ledger.tables.reader_studies import (
    BreachRow,
    ReaderStudyCaseRow,
    ReaderStudyReaderRow,
    ReaderStudyRow,
    ReadingRow,
    ShowingRow,
)
from shared.ledger.tables.schema import TermsRow
from shared.ledger.tables.training import (
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
