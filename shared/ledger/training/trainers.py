"""The trainers that are present, and the weight files that they lack."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.ledger.tables import TrainerRow

NOW = func.clock_timestamp()
TRAINER_TIMEOUT = timedelta(minutes=10)
"""A trainer reports whenever it looks for work. During a long step it may be silent for a while."""


@dataclass(frozen=True)
class MissingWeights:
    """A network's weight file that a trainer lacks: a file with any of these names in `folder` is
    enough.

    `url` is the address from which the trainer will fetch it. It is empty if a person must put the
    file there.
    """

    network: str
    files: str
    folder: str
    url: str


@dataclass(frozen=True)
class Trainer:
    """`missing_weights` are by recipe. A recipe without an entry has all its weights."""

    name: str
    missing_weights: dict[str, tuple[MissingWeights, ...]]
    seen_at: datetime


class Trainers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def report(
        self, name: str, missing_weights: Mapping[str, Sequence[MissingWeights]]
    ) -> None:
        """Store that a trainer is present, and the weights that it lacks, by recipe."""
        lacks = {
            recipe: [asdict(weights) for weights in missing]
            for recipe, missing in missing_weights.items()
            if missing
        }
        statement = insert(TrainerRow).values(name=name, lacks=lacks)
        changes = {"lacks": statement.excluded.lacks, "seen_at": NOW}
        self._session.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_=changes)
        )

    def present(self, timeout: timedelta = TRAINER_TIMEOUT) -> list[Trainer]:
        """Trainers that reported within the timeout, by name."""
        query = (
            select(TrainerRow)
            .where(TrainerRow.seen_at > NOW - timeout)
            .order_by(TrainerRow.name)
        )
        return [_trainer(row) for row in self._session.scalars(query)]


def _trainer(row: TrainerRow) -> Trainer:
    missing_weights = {
        recipe: tuple(MissingWeights(**weights) for weights in missing)
        for recipe, missing in row.lacks.items()
    }
    return Trainer(name=row.name, missing_weights=missing_weights, seen_at=row.seen_at)
