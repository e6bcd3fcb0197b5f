"""Trainers as they last told of themselves: that they are there, and which weight files they lack."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.ledger.tables import TrainerRow

NOW = func.clock_timestamp()
TRAINER_TIMEOUT = timedelta(minutes=10)
"""A trainer tells of itself whenever it looks for work; one in the midst of a long step is silent for a while."""


@dataclass(frozen=True)
class MissingWeights:
    """A network's weight file that a trainer has not: under any of these names, in that folder.

    `url` is where the trainer will fetch it from; empty where somebody has to put it there.
    """

    network: str
    files: str
    folder: str
    url: str


@dataclass(frozen=True)
class Trainer:
    """`lacks` by recipe; a recipe that is not named has all it needs."""

    name: str
    missing_weights: dict[str, tuple[MissingWeights, ...]]
    seen_at: datetime


class Trainers:
    def __init__(self, session: Session) -> None:
        self._session = session

    def report(self, name: str, missing_weights: Mapping[str, Sequence[MissingWeights]]) -> None:
        """Note that a trainer is there and what it lacks."""
        told = {
            recipe: [asdict(lack) for lack in missing]
            for recipe, missing in missing_weights.items()
            if missing
        }
        row = insert(TrainerRow).values(name=name, lacks=told)
        again = {"lacks": row.excluded.lacks, "seen_at": NOW}
        self._session.execute(
            row.on_conflict_do_update(index_elements=["name"], set_=again)
        )

    def present(self, timeout: timedelta = TRAINER_TIMEOUT) -> list[Trainer]:
        """Trainers that told of themselves lately, by name."""
        query = (
            select(TrainerRow)
            .where(TrainerRow.seen_at > NOW - timeout)
            .order_by(TrainerRow.name)
        )
        return [_trainer(row) for row in self._session.scalars(query)]


def _trainer(row: TrainerRow) -> Trainer:
    lacks = {
        recipe: tuple(MissingWeights(**lack) for lack in missing)
        for recipe, missing in row.lacks.items()
    }
    return Trainer(row.name, lacks, row.seen_at)
