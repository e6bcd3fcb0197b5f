"""The trainer's loop: claim a step, do it, write its outcome, notify for the steps that follow."""

import threading
from datetime import timedelta
from functools import partial
from uuid import UUID

from services.trainer.metrics import measure_step
from services.trainer.missing_weights import missing_weights
from services.trainer.progress import StepLost, StepReporter, TrainerClosing
from services.trainer.samples import resolve_recipe
from services.trainer.step_inputs import (
    RunInputs,
    StepInputs,
    StepResult,
    TrainingTools,
)
from services.trainer.step_owner import StepOwner
from services.trainer.steps import StepRunner
from shared.domain.jobs import Reason
from shared.domain.messages import Message
from shared.domain.training.states import FINAL_RUN_STATES, Split, StepKind
from shared.domain.training.steps import BundleOutcome, FeaturesOutcome, TableOutcome
from shared.errors import NotFound, SeraError, Unavailable
from shared.ledger import Ledger, SystemSession
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.retry import retry_while_unavailable
from shared.ledger.training.runs import TrainingRun
from shared.ledger.training.steps import ClaimedStep
from shared.observability.logs import log
from shared.queueing import Notifier
from shared.queueing.app import Tasks
from shared.recipes import Recipe, RecipeDirectory, load_recipe, read_recipe
from shared.settings import Settings

ACTOR = "trainer"
ENGINE_RETRY_DELAY = timedelta(seconds=2)
"""How long a released step waits. A step is released because an engine is unavailable or the
trainer stops.
"""


class TrainingService:
    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        tools: TrainingTools,
        heartbeat: Heartbeat,
        notifier: Notifier,
        owner: StepOwner,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tools = tools
        self._heartbeat = heartbeat
        self._notifier = notifier
        self._owner = owner
        self._lease = timedelta(seconds=settings.lease_s)
        self._closing = threading.Event()
        self._runner: StepRunner | None = None

    def work(self) -> None:
        """Do steps until none is ready or the trainer is closing."""
        self._report_missing_weights()
        self._reclaim_dead_owners()
        while not self._closing.is_set() and (step := self._claim()):
            self._heartbeat.hold(step.token)
            try:
                measure_step(step, self._do)
            finally:
                self._heartbeat.release(step.token)
        self._release_ended_run()

    def close(self) -> None:
        """Give back the current step and claim no more; safe from a signal handler."""
        self._closing.set()

    def _report_missing_weights(self) -> None:
        """Report missing weights, so that users see them before they request a run."""
        recipes = RecipeDirectory(self._settings.recipes_dir)
        missing_by_recipe = missing_weights(self._tools.weights, recipes)
        with self._ledger.system_session(ACTOR) as session:
            session.trainers.report(self._owner.host, missing_by_recipe)

    def _reclaim_dead_owners(self) -> None:
        """Release the steps of trainers that died on this machine, so that they need not wait for
        their leases to expire.
        """
        with self._ledger.system_session(ACTOR) as session:
            dead_owners = self._owner.dead_owners(session.steps.owners())
            if dead_owners:
                session.steps.reclaim(self._settings.max_attempts, dead_owners)

    def _claim(self) -> ClaimedStep | None:
        with self._ledger.system_session(ACTOR) as session:
            return session.steps.claim(
                str(self._owner), self._lease, self._settings.max_attempts
            )

    def _do(self, step: ClaimedStep) -> str:
        """Do a step. Returns the outcome for the metrics.

        A step's failure is written to its run and never touches serving.
        """
        try:
            reporter = StepReporter(
                step=step, ledger=self._ledger, actor=ACTOR, closing=self._closing
            )
            runner = self._runner_of(step.run_id)
            result = runner.run_step(step, self._step_inputs(step), reporter)
            retry_while_unavailable(lambda: self._finish(step, result), self._lease)
            return "done"
        except StepLost:
            log().warning("step.lost", run=str(step.run_id), step=step.name)
            return "lost"
        except (TrainerClosing, Unavailable) as error:
            log().warning(
                "step.given-back",
                run=str(step.run_id),
                step=step.name,
                why=str(error),
            )
            self._give_back(step)
            return "given-back"
        except SeraError as error:
            log().warning(
                "step.failed", run=str(step.run_id), step=step.name, code=error.code
            )
            reason = error.message
        except Exception as error:  # noqa: BLE001 (written to the run, and logged)
            log().error(
                "step.broke", run=str(step.run_id), step=step.name, exc_info=error
            )
            reason = Message(Reason.INTERNAL, {"step": step.name})
        retry_while_unavailable(partial(self._fail, step, reason), self._lease)
        return "failed"

    def _runner_of(self, run_id: UUID) -> StepRunner:
        """Return the runner of this run. The runner of another run is closed first."""
        if self._runner is None or self._runner.run.id != run_id:
            self.release_run()
            with self._ledger.system_session(ACTOR) as session:
                inputs = _run_inputs(session, session.runs.get(run_id))
            self._runner = StepRunner(inputs, self._tools)
        return self._runner

    def _step_inputs(self, step: ClaimedStep) -> StepInputs:
        with self._ledger.system_session(ACTOR) as session:
            features = session.steps.outcomes(step.run_id, StepKind.FEATURES)
            tables = session.steps.outcomes(step.run_id, StepKind.TABLE)
            bundles = session.steps.outcomes(step.run_id, StepKind.BUNDLE)
            live_digest = session.models.live_digest()
            version = _version(session.runs.get(step.run_id))
            training_hashes: set[str] = set()
            if live_digest and step.kind is StepKind.GATE:
                training_hashes = _test_images_model_was_trained_on(
                    session, version, live_digest
                )
            erased_hashes = session.versions.erased_images(version)
        return StepInputs(
            features=[FeaturesOutcome.from_json(body) for body in features],
            table=TableOutcome.from_json(tables[0]) if tables else None,
            bundle=BundleOutcome.from_json(bundles[0]) if bundles else None,
            live_digest=live_digest,
            live_training_hashes=frozenset(training_hashes),
            erased_hashes=frozenset(erased_hashes),
        )

    def _finish(self, step: ClaimedStep, result: StepResult) -> None:
        with self._ledger.system_session(ACTOR) as session:
            ready = session.steps.finish(
                step.token,
                result.outcome.to_json(),
                result.new_steps,
                result.message,
            )
            if ready is None:
                raise StepLost
            result.write(session)
        log().info("step.done", run=str(step.run_id), step=step.name, ready=ready)
        for _ in range(ready):
            self._notifier.notify(Tasks.TRAIN, step.run_id)

    def _give_back(self, step: ClaimedStep) -> None:
        with self._ledger.system_session(ACTOR) as session:
            session.steps.give_back(step.token, ENGINE_RETRY_DELAY)

    def _fail(self, step: ClaimedStep, reason: Message) -> None:
        with self._ledger.system_session(ACTOR) as session:
            session.steps.fail(step.token, reason)

    def _release_ended_run(self) -> None:
        if self._runner is None:
            return
        with self._ledger.system_session(ACTOR) as session:
            run = session.runs.find(self._runner.run.id)
        if run is None or run.state in FINAL_RUN_STATES:
            self.release_run()

    def release_run(self) -> None:
        """Close the runner, and with it the files of its run."""
        if self._runner:
            self._runner.close()
        self._runner = None


def _run_inputs(session: SystemSession, run: TrainingRun) -> RunInputs:
    version = _version(run)
    images = session.versions.images(version, Split.TRAIN)
    hashes = [image.image_sha256 for image in images]
    return RunInputs(
        run=run,
        recipe=resolve_recipe(_recipe(run), images),
        images=images,
        test_images=session.versions.images(version, Split.TEST),
        locked_test_hashes=frozenset(session.versions.locked_test_images(hashes)),
        synthetic=session.datasets.find(run.dataset_id).synthetic,
        seconds_per_image=session.steps.seconds_per_image(run.recipe),
    )


def _test_images_model_was_trained_on(
    session: SystemSession, version: UUID, model: str
) -> set[str]:
    """Return the test images of a version on which a model was trained, through a version of
    another dataset.
    """
    test_images = session.versions.images(version, Split.TEST)
    hashes = [image.image_sha256 for image in test_images]
    return session.versions.training_images_of_model(model, hashes)


def _version(run: TrainingRun) -> UUID:
    """Return the run's dataset version. Raises NotFound for a run from before datasets had
    versions.
    """
    if run.version_id is None:
        raise NotFound(thing="dataset version")
    return run.version_id


def _recipe(run: TrainingRun) -> Recipe:
    """Return the recipe in its state when the run was requested.

    A run of an older SERA has only the recipe's name.
    """
    if run.recipe_table:
        recipe = read_recipe(run.recipe_table)
    else:
        recipe = load_recipe(run.recipe)
    return recipe if run.folds is None else recipe.with_folds(run.folds)
