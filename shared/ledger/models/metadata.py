"""A model's metadata: its card, and the reference against which drift is measured."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.errors import NotFound
from shared.ledger.tables import ModelRow


class CardMissing(NotFound):
    code = "card-missing"
    text = (
        "The model {name}/{version} is from before cards were kept. Train anew, or run `./sera "
        "card` on its bundle."
    )


@dataclass(frozen=True, kw_only=True)
class TrainingCounts:
    """How many images a model was trained on, and how many of them are malignant."""

    images: int
    malignant: int


class ModelMetadata:
    def __init__(self, session: Session) -> None:
        self._session = session

    def card(self, digest: str) -> dict[str, Any]:
        """Raises CardMissing."""
        row = self._session.get_one(ModelRow, digest)
        if row.card is None:
            raise CardMissing(name=row.name, version=row.version)
        return row.card

    def training_counts(self, digest: str) -> TrainingCounts | None:
        """The counts in a model's card; None for a model without one."""
        card = self._session.scalar(
            select(ModelRow.card).where(ModelRow.digest == digest)
        )
        data = (card or {}).get("data") or {}
        if "images" not in data or "malignant" not in data:
            return None
        return TrainingCounts(images=data["images"], malignant=data["malignant"])

    def reference(self, digest: str) -> dict[str, Any] | None:
        """The reference as `shared.bundles.ledger_record.reference` computes it.

        None for an unknown model, and for a model whose bundle has no evidence.
        """
        query = select(ModelRow.reference).where(ModelRow.digest == digest)
        return self._session.scalar(query)
