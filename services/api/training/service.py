"""Asks for training runs and follows them."""

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.jobs.retry import retry_while_unavailable
from services.api.middleware.authentication import is_credential_valid
from services.api.training.recipes import RecipeView, recipe_views
from services.api.training.schemas import (
    RunEventView,
    NewRun,
    RunSummary,
    RunView,
    event_view,
    run_summary,
    run_view,
)
from shared.domain.training.states import FINAL_RUN_STATES
from shared.errors import NotFound
from shared.ledger import SystemSession
from shared.ledger.datasets.versions import Version, check_usable
from shared.ledger.hospitals.repository import Caller
from shared.queueing.app import Tasks
from shared.recipes import RecipeDirectory


class RunService:
    """Training runs in the request's transaction; whoever follows one looks in transactions of its own."""

    def __init__(self, session: SystemSession, caller: Caller, dependencies: Dependencies) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies
        self._shelf = RecipeDirectory(dependencies.settings.recipes_dir)

    def request(self, new: NewRun) -> RunView:
        """Queue a run of a frozen version and of the recipe as it is now; a trainer takes it up."""
        session = self._session
        recipe = self._shelf.load(new.recipe)
        dataset = session.datasets.find(new.dataset).id
        version = self._version(dataset, new.version)
        check_usable(session.versions.erased_images(version.id))
        run_id = session.runs.request(
            dataset, version.id, recipe.name, new.seed, new.folds, recipe.as_table()
        )
        self._notify_trainers(run_id)
        return self.read(run_id)

    def read(self, run_id: UUID) -> RunView:
        """Raises NotFound."""
        run = self._session.runs.find(run_id)
        if run is None:
            raise NotFound(thing="training run")
        return run_view(run, self._session.runs.steps(run_id))

    def recipes(self) -> list[RecipeView]:
        return recipe_views(self._shelf, self._session.trainers.present())

    def newest(self, limit: int) -> list[RunSummary]:
        return [run_summary(run) for run in self._session.runs.newest(limit)]

    def log(self, run_id: UUID, after: int) -> list[RunEventView]:
        """Raises NotFound."""
        self.read(run_id)
        return self.events(run_id, after)

    def events(self, run_id: UUID, after: int) -> list[RunEventView]:
        """What the run says of itself after the event of this number."""
        return [event_view(event) for event in self._session.runs.events(run_id, after)]

    def cancel(self, run_id: UUID) -> RunView:
        """Raises NotFound."""
        if not self._session.runs.cancel(run_id):
            raise NotFound(thing="training run")
        return self.read(run_id)

    def resume(self, run_id: UUID) -> RunView:
        """Raises NotFound."""
        if not self._session.runs.resume(run_id):
            raise NotFound(thing="training run")
        self._notify_trainers(run_id)
        return self.read(run_id)

    async def follow(
        self, run_id: UUID, after: int
    ) -> AsyncIterator[RunEventView | RunView]:
        """What the run says from there on, and the run as it changes, until it or the caller's key or session ended."""
        seen: RunView | None = None
        while seen is None or seen.state not in FINAL_RUN_STATES:
            news = await retry_while_unavailable(partial(self._look, run_id, after))
            if news is None:
                return
            run, events = news
            for event in events:
                after = event.id
                yield event
            if seen is None or _visible(run) != _visible(seen):
                yield run
            seen = run
            if seen.state not in FINAL_RUN_STATES:
                await self._dependencies.job_changes.wait_for_change(
                    run_id, self._dependencies.settings.long_poll_max_s
                )

    def _look(self, run_id: UUID, after: int) -> tuple[RunView, list[RunEventView]] | None:
        """The run and its news, in a transaction of its own; None where the key or session has ended."""
        with self._dependencies.ledger.system_session(self._caller.actor) as session:
            if not is_credential_valid(session.transaction, self._caller):
                return None
            service = RunService(session, self._caller, self._dependencies)
            return service.read(run_id), service.events(run_id, after)

    def _version(self, dataset: UUID, number: int | None) -> Version:
        """The frozen version of this number; without one the dataset as it is now, frozen."""
        if number is None:
            return self._session.versions.freeze(dataset)
        return self._session.versions.find(dataset, number)

    def _notify_trainers(self, run_id: UUID) -> None:
        """Once the run is committed."""
        notify = partial(self._dependencies.notifier.notify, Tasks.TRAIN, run_id)
        self._session.transaction.on_commit(notify)


def _visible(run: RunView) -> tuple[object, ...]:
    """What is worth a word; clocks that merely go on are not."""
    return (
        run.state,
        run.fraction,
        run.message,
        [(step.state, step.fraction, step.attempts) for step in run.steps],
    )
