"""What monitoring needs of each result: written with it, read by hospital, device and model."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.ledger.audit import AuditTrail
from shared.ledger.tables import ObservationRow


@dataclass(frozen=True)
class Observation:
    """One result as monitoring sees it.

    `strangeness` is the novelty score, `embedding` the image along the training images' first principal directions in
    standard deviations, `benign_p` and `malignant_p` are the conformal p-values of the classes; None in results of
    bundles that cannot tell. `warnings` are codes.
    """

    job_id: UUID
    case_id: UUID
    hospital_id: UUID
    model_digest: str
    device: str | None
    score: float
    risk: float
    decision: str
    cutoff: float
    strangeness: float | None
    embedding: tuple[float, ...] | None
    benign_p: float | None
    malignant_p: float | None
    warnings: tuple[str, ...]


class Observations:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit

    def keep(self, observations: Sequence[Observation]) -> None:
        """Write those of one batch, in the transaction that writes their results."""
        if observations:
            self._session.execute(insert(ObservationRow), [vars(each) for each in observations])
