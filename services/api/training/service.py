"""Requests training runs and follows them."""

import time
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.jobs.retry import retry_while_unavailable
from services.api.middleware.authentication import is_credential_valid
from services.api.training.recipes import RecipeView, recipe_views
from services.api.training.schemas import (
    NewRun,
    RunEventView,
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
    """Requests and reads training runs in the request's transaction. Following a run uses separate
    transactions.
    """

    def __init__(
        self, session: SystemSession, caller: Caller, dependencies: Dependencies
    ) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies
        self._shelf = RecipeDirectory(dependencies.settings.recipes_dir)

    def request(self, new: NewRun) -> RunView:
        """Queue a run on a frozen version, with a copy of the current recipe."""
        session = self._session
        recipe = self._shelf.load(new.recipe)
        dataset = session.datasets.find(new.dataset).id
        version = self._version(dataset, new.version)
        check_usable(session.versions.erased_images(version.id))
        run_id = session.runs.request(
            dataset=dataset,
            version=version.id,
            recipe=recipe.name,
            seed=new.seed,
            folds=new.folds,
            table=recipe.as_table(),
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

    def log(self, run_id: UUID, after_id: int) -> list[RunEventView]:
        """Raises NotFound."""
        self.read(run_id)
        return self.events(run_id, after_id)

    def events(self, run_id: UUID, after_id: int) -> list[RunEventView]:
        """Return the events of the run after the event with this id."""
        events = self._session.runs.events(run_id, after_id)
        return [event_view(event) for event in events]

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
        self, run_id: UUID, after_id: int
    ) -> AsyncIterator[RunEventView | RunView]:
        """Yield events after `after_id`, and the run each time it changes.

        It ends when the run has ended, when the caller's key or session ends, or after
        `event_stream_max_s`.
        """
        settings = self._dependencies.settings
        deadline = time.monotonic() + settings.event_stream_max_s
        previous_run: RunView | None = None
        while previous_run is None or previous_run.state not in FINAL_RUN_STATES:
            update = await retry_while_unavailable(
                partial(self._read_update, run_id, after_id)
            )
            if update is None:
                return
            run, events = update
            for event in events:
                after_id = event.id
                yield event
            if previous_run is None or _visible(run) != _visible(previous_run):
                yield run
            previous_run = run
            if time.monotonic() >= deadline:
                return
            if run.state not in FINAL_RUN_STATES:
                await self._dependencies.job_changes.wait_for_change(
                    run_id, settings.long_poll_max_s
                )

    def _read_update(
        self, run_id: UUID, after_id: int
    ) -> tuple[RunView, list[RunEventView]] | None:
        """Read the run and its new events in a separate transaction.

        Returns None if the key or session has ended.
        """
        with self._dependencies.ledger.system_session(self._caller.actor) as session:
            if not is_credential_valid(session.transaction, self._caller):
                return None
            service = RunService(session, self._caller, self._dependencies)
            return service.read(run_id), service.events(run_id, after_id)

    def _version(self, dataset: UUID, number: int | None) -> Version:
        """Return the frozen version with this number. Without a number the draft is frozen."""
        if number is None:
            return self._session.versions.freeze(dataset)
        return self._session.versions.find(dataset, number)

    def _notify_trainers(self, run_id: UUID) -> None:
        """Notify trainers once the run is committed."""
        notify = partial(self._dependencies.notifier.notify, Tasks.TRAIN, run_id)
        self._session.transaction.on_commit(notify)


def _visible(run: RunView) -> tuple[object, ...]:
    """Return the parts of a run whose change is sent as an event. Changes of times and durations
    are not sent.
    """
    steps = [(step.state, step.fraction, step.attempts) for step in run.steps]
    return run.state, run.fraction, run.message, steps
