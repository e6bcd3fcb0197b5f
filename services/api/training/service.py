"""Asks for training runs and follows them."""

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from services.api.authentication import still_valid
from services.api.dependencies import Wiring
from services.api.jobs.patience import patiently
from services.api.training.recipes import RecipeView, recipes
from services.api.training.schemas import (
    EventView,
    NewRun,
    RunSummary,
    RunView,
    event_view,
    summary,
    view,
)
from shared.domain.training import ENDED
from shared.errors import NotFound
from shared.ledger import SystemSession
from shared.ledger.hospitals import Caller
from shared.ledger.versions import check_usable
from shared.queueing.app import Tasks
from shared.recipes import Shelf


class RunDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who
        self._shelf = Shelf(wired.settings.recipes_dir)

    def request(self, new: NewRun) -> RunView:
        """Queue a run of a frozen version and of the recipe as it is now; a trainer takes it up."""
        recipe = self._shelf.load(new.recipe)
        with self._house() as session:
            dataset = session.datasets.find(new.dataset).id
            frozen = (
                session.versions.find(dataset, new.version)
                if new.version
                else session.versions.freeze(dataset)
            )
            check_usable(session.versions.erased(frozen.id))
            run_id = session.runs.request(
                dataset, frozen.id, recipe.name, new.seed, new.folds, recipe.as_table()
            )
        self._ring(run_id)
        return self.read(run_id)

    def read(self, run_id: UUID) -> RunView:
        with self._house() as session:
            return _read(session, run_id)

    def recipes(self) -> list[RecipeView]:
        with self._house() as session:
            return recipes(self._shelf, session.trainers.present())

    def newest(self, limit: int) -> list[RunSummary]:
        with self._house() as session:
            return [summary(run) for run in session.runs.newest(limit)]

    def log(self, run_id: UUID, after: int) -> list[EventView]:
        with self._house() as session:
            _read(session, run_id)
            return [event_view(event) for event in session.runs.events(run_id, after)]

    def cancel(self, run_id: UUID) -> RunView:
        with self._house() as session:
            if not session.runs.cancel(run_id):
                raise NotFound(thing="training run")
        return self.read(run_id)

    def resume(self, run_id: UUID) -> RunView:
        with self._house() as session:
            if not session.runs.resume(run_id):
                raise NotFound(thing="training run")
        self._ring(run_id)
        return self.read(run_id)

    async def follow(self, run_id: UUID, after: int) -> AsyncIterator[EventView | RunView]:
        """What the run says from there on, and the run as it changes, until it or the caller's key or session ended."""
        seen: RunView | None = None
        while seen is None or seen.state not in ENDED:
            run, said = await patiently(partial(self._news, run_id, after))
            for event in said:
                after = event.id
                yield event
            if seen is None or _visible(run) != _visible(seen):
                yield run
            seen = run
            if seen.state not in ENDED:
                await self._wired.watch.changed(run_id, self._wired.settings.long_poll_max_s)
                if not await patiently(self._valid):
                    return

    def _news(self, run_id: UUID, after: int) -> tuple[RunView, list[EventView]]:
        with self._house() as session:
            run = _read(session, run_id)
            return run, [event_view(event) for event in session.runs.events(run_id, after)]

    def _valid(self) -> bool:
        with self._house() as session:
            return still_valid(session.transaction, self._who)

    def _ring(self, run_id: UUID) -> None:
        self._wired.doorbell.ring(Tasks.TRAIN, run_id)

    def _house(self):
        return self._wired.ledger.system_session(self._who.actor)


def _read(session: SystemSession, run_id: UUID) -> RunView:
    run = session.runs.find(run_id)
    if run is None:
        raise NotFound(thing="training run")
    return view(run, session.runs.steps(run_id))


def _visible(run: RunView) -> tuple[object, ...]:
    """What is worth a word; clocks that merely go on are not."""
    return (
        run.state,
        run.fraction,
        run.message,
        [(step.state, step.fraction, step.attempts) for step in run.steps],
    )
