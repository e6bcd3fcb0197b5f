"""Stored models and the append-only ledger of promotions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.domain.events import Event
from shared.errors import NotFound
from shared.ledger.audit import AuditTrail
from shared.ledger.tables import ModelRow, PromotionRow


class ModelUnknown(NotFound):
    code = "model-unknown"
    text = "There is no model {name!r}. The models there are: ./sera models list, or GET /v1/models."


@dataclass(frozen=True)
class Model:
    digest: str
    name: str
    version: int
    recipe: str
    run_id: UUID | None
    synthetic: bool
    metrics: dict[str, Any]
    created_at: datetime
    live: bool


class Models:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit

    def store(
        self,
        digest: str,
        name: str,
        recipe: str,
        run_id: UUID | None,
        synthetic: bool,
        metrics: dict[str, Any],
        *,
        reference: dict[str, Any] | None = None,
        card: dict[str, Any] | None = None,
    ) -> int:
        """Keep a bundle's row under the next version of its name; storing the same digest again changes nothing."""
        self._session.execute(text("SELECT pg_advisory_xact_lock(hashtext('sera.models'))"))
        known = self._session.scalar(select(ModelRow.version).where(ModelRow.digest == digest))
        if known is not None:
            return known
        newest = select(func.coalesce(func.max(ModelRow.version), 0)).where(ModelRow.name == name)
        version = self._session.scalars(newest).one() + 1
        row = {"digest": digest, "name": name, "version": version, "recipe": recipe}
        row |= {name: held for name, held in {"reference": reference, "card": card}.items() if held is not None}
        self._session.add(ModelRow(**row, run_id=run_id, synthetic=synthetic, metrics=metrics))
        self._session.flush()
        self._audit.record(Event.MODEL_STORED, model=digest, name=name, version=version)
        return version

    def live(self) -> str | None:
        """Digest of the live model; None before the first promotion."""
        return self._session.scalar(select(PromotionRow.model_digest).order_by(PromotionRow.id.desc()).limit(1))

    def promote(self, digest: str, actor: str, reason: str | None) -> None:
        if self._session.get(ModelRow, digest) is None:
            raise ModelUnknown(name=digest)
        self._session.add(PromotionRow(model_digest=digest, actor=actor, reason=reason))
        self._session.flush()
        self._audit.record(Event.MODEL_PROMOTED, model=digest, reason=reason)

    def find(self, name_or_digest: str) -> Model:
        """By digest, a unique start of one, `name/version`, or a name (its newest version)."""
        matches = [model for model in self.all() if _means(name_or_digest, model)]
        if not matches:
            raise ModelUnknown(name=name_or_digest)
        return matches[0]

    def all(self) -> list[Model]:
        """Newest first."""
        live = self.live()
        names = [name for name in Model.__dataclass_fields__ if name != "live"]
        rows = self._session.scalars(select(ModelRow).order_by(ModelRow.created_at.desc()))
        return [Model(**{name: getattr(row, name) for name in names}, live=row.digest == live) for row in rows]


def _means(text: str, model: Model) -> bool:
    return text in (model.name, f"{model.name}/{model.version}") or (len(text) >= 8 and model.digest.startswith(text))
