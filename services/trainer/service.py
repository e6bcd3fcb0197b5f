"""The trainer's day: claim a step, do it, say what came of it, ring for the steps that can be done now."""

import threading
from datetime import timedelta
from functools import partial
from uuid import UUID

from services.trainer.metrics import measured
from services.trainer.missing_weights import lacking
from services.trainer.progress import Closing, Reporter, StepLost
from services.trainer.samples import outlined
from services.trainer.step_owner import Owner
from services.trainer.steps import (
    RunInputs,
    RunWork,
    StepInputs,
    StepResult,
    TrainingTools,
)
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
AWAY = timedelta(seconds=2)


class TrainingService:
    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        tools: TrainingTools,
        heartbeat: Heartbeat,
        notifier: Notifier,
        owner: Owner,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._tools = tools
        self._heartbeat = heartbeat
        self._notifier = notifier
        self._owner = owner
        self._lease = timedelta(seconds=settings.lease_s)
        self._closing = threading.Event()
        self._work: RunWork | None = None

    def work(self) -> None:
        """Do steps until none can be done now, or the trainer is closing."""
        self._tell_of_itself()
        self._take_back()
        while not self._closing.is_set() and (step := self._claim()):
            self._heartbeat.hold(step.token)
            try:
                measured(step, self._do)
            finally:
                self._heartbeat.release(step.token)
        self._let_go_of_ended()

    def close(self) -> None:
        """Give the step in hand back and take no more; safe from a signal handler."""
        self._closing.set()

    def _tell_of_itself(self) -> None:
        """So that whoever asks for a run knows beforehand what is missing for it."""
        lacks = lacking(self._tools.weights, RecipeDirectory(self._settings.recipes_dir))
        with self._ledger.system_session(ACTOR) as session:
            session.trainers.report(self._owner.host, lacks)

    def _take_back(self) -> None:
        """Steps of trainers that died on this machine need not wait for their leases to run out."""
        with self._ledger.system_session(ACTOR) as session:
            if gone := self._owner.gone(session.steps.owners()):
                session.steps.reclaim(self._settings.max_attempts, gone)

    def _claim(self) -> ClaimedStep | None:
        with self._ledger.system_session(ACTOR) as session:
            return session.steps.claim(
                str(self._owner), self._lease, self._settings.max_attempts
            )

    def _do(self, step: ClaimedStep) -> str:
        """What came of it. One step's failure is written to its run and never touches serving."""
        try:
            reporter = Reporter(step, self._ledger, ACTOR, self._closing)
            done = self._work_on(step.run_id).do(step, self._found(step), reporter)
            retry_while_unavailable(lambda: self._finish(step, done), self._lease)
            return "done"
        except StepLost:
            log().warning("step.lost", run=str(step.run_id), step=step.name)
            return "lost"
        except (Closing, Unavailable) as interrupted:
            log().warning(
                "step.given-back",
                run=str(step.run_id),
                step=step.name,
                why=str(interrupted),
            )
            self._give_back(step)
            return "given-back"
        except SeraError as error:
            log().warning(
                "step.failed", run=str(step.run_id), step=step.name, code=error.code
            )
            retry_while_unavailable(partial(self._fail, step, error.message), self._lease)
        except Exception as error:  # noqa: BLE001 (written to the run, and logged)
            log().error(
                "step.broke", run=str(step.run_id), step=step.name, exc_info=error
            )
            broken = Message(Reason.INTERNAL, {"step": step.name})
            retry_while_unavailable(partial(self._fail, step, broken), self._lease)
        return "failed"

    def _work_on(self, run_id: UUID) -> RunWork:
        """What this process holds of a run; that of another run is let go of first."""
        if self._work is None or self._work.run.id != run_id:
            self.let_go()
            with self._ledger.system_session(ACTOR) as session:
                material = _material(session, session.runs.get(run_id))
            self._work = RunWork(material, self._tools)
        return self._work

    def _found(self, step: ClaimedStep) -> StepInputs:
        with self._ledger.system_session(ACTOR) as session:
            features = session.steps.outcomes(step.run_id, StepKind.FEATURES)
            tables = session.steps.outcomes(step.run_id, StepKind.TABLE)
            bundles = session.steps.outcomes(step.run_id, StepKind.BUNDLE)
            live = session.models.live_digest()
            learned = (
                _learned(session, step.run_id, live)
                if live and step.kind is StepKind.GATE
                else set()
            )
            erased = session.versions.erased_images(_version(session.runs.get(step.run_id)))
            return StepInputs(
                features=[FeaturesOutcome.from_json(body) for body in features],
                table=TableOutcome.from_json(tables[0]) if tables else None,
                bundle=BundleOutcome.from_json(bundles[0]) if bundles else None,
                live=live,
                learned=frozenset(learned),
                erased=frozenset(erased),
            )

    def _finish(self, step: ClaimedStep, done: StepResult) -> None:
        with self._ledger.system_session(ACTOR) as session:
            outcome = done.outcome.to_json()
            ready = session.steps.finish(step.token, outcome, done.adding, done.message)
            if ready is None:
                raise StepLost
            done.also(session)
        log().info("step.done", run=str(step.run_id), step=step.name, ready=ready)
        for _ in range(ready):
            self._notifier.notify(Tasks.TRAIN, step.run_id)

    def _give_back(self, step: ClaimedStep) -> None:
        with self._ledger.system_session(ACTOR) as session:
            session.steps.give_back(step.token, AWAY)

    def _fail(self, step: ClaimedStep, reason: Message) -> None:
        with self._ledger.system_session(ACTOR) as session:
            session.steps.fail(step.token, reason)

    def _let_go_of_ended(self) -> None:
        if self._work:
            with self._ledger.system_session(ACTOR) as session:
                run = session.runs.find(self._work.run.id)
            if run is None or run.state in FINAL_RUN_STATES:
                self.let_go()

    def let_go(self) -> None:
        """Close what it holds of a run."""
        if self._work:
            self._work.close()
        self._work = None


def _material(session: SystemSession, run: TrainingRun) -> RunInputs:
    version = _version(run)
    learned = session.versions.images(version, Split.TRAIN)
    return RunInputs(
        run=run,
        recipe=_recipe(run).with_calipers(outlined(learned)),
        images=learned,
        tests=session.versions.images(version, Split.TEST),
        locked=frozenset(
            session.versions.locked_test_images([image.image_sha256 for image in learned])
        ),
        synthetic=session.datasets.find(run.dataset_id).synthetic,
        pace=session.steps.seconds_per_image(run.recipe),
    )


def _learned(session: SystemSession, run_id: UUID, model: str) -> set[str]:
    """Test images of a run that a model was trained on, as a version of another dataset."""
    tests = session.versions.images(_version(session.runs.get(run_id)), Split.TEST)
    return session.versions.training_images_of_model(model, [image.image_sha256 for image in tests])


def _version(run: TrainingRun) -> UUID:
    """Raises NotFound for a run from before datasets had versions."""
    if run.version_id is None:
        raise NotFound(thing="dataset version")
    return run.version_id


def _recipe(run: TrainingRun) -> Recipe:
    """As it was when the run was asked for; by its name where an older SERA took the run."""
    recipe = (
        read_recipe(run.recipe_table) if run.recipe_table else load_recipe(run.recipe)
    )
    return recipe if run.folds is None else recipe.with_folds(run.folds)
