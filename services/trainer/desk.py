"""The trainer's day: claim a run, fit its recipe, store the bundle, report."""

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from services.trainer.samples import outlined, samples
from shared.bundles import load, save
from shared.bundles.depot import publish
from shared.domain.jobs import REASON_TEXT, Reason
from shared.domain.training import Split
from shared.errors import SeraError
from shared.learning import fit, framing
from shared.ledger import Ledger
from shared.ledger.heartbeat import Heartbeat
from shared.ledger.training import TrainingRun
from shared.networks import WeightsFinder
from shared.objects import ObjectStore
from shared.recipes import load_recipe
from shared.telemetry import log

ACTOR = "trainer"
SHARES = {
    "network": (0.0, 0.2),
    "features": (0.2, 0.4),
    "tuning": (0.4, 0.7),
    "readers": (0.7, 0.95),
    "final": (0.95, 1.0),
}
"""Where each stage begins and ends on the whole run's scale."""


class LeaseLost(SeraError):
    code = "lease-lost"
    text = "Another trainer has taken up the run."


class TrainingDesk:
    def __init__(
        self, ledger: Ledger, objects: ObjectStore, weights: WeightsFinder, heartbeat: Heartbeat, lease: timedelta
    ) -> None:
        self._ledger, self._objects, self._weights = ledger, objects, weights
        self._heartbeat, self._lease = heartbeat, lease

    def work(self) -> None:
        """Take up runs until none waits."""
        while run := self._claim():
            self._heartbeat.hold(run.lease_token)
            try:
                self._do(run)
            finally:
                self._heartbeat.let_go(run.lease_token)

    def _claim(self) -> TrainingRun | None:
        with self._ledger.whole(ACTOR) as house:
            return house.runs.claim(self._lease)

    def _do(self, run: TrainingRun) -> None:
        """One run's failure is written to it and never touches serving."""
        try:
            self._train(run)
        except LeaseLost:
            log().warning("run.lost", run=str(run.id))
        except SeraError as error:
            if error.retryable:
                raise
            self._fail(run, error.code, str(error))
        except Exception as error:  # noqa: BLE001 (written to the run, and logged)
            log().error("run.broke", run=str(run.id), exc_info=error)
            self._fail(run, Reason.INTERNAL, REASON_TEXT[Reason.INTERNAL])

    def _train(self, run: TrainingRun) -> None:
        with self._ledger.whole(ACTOR) as house:
            dataset = house.datasets.find(run.dataset_id)
            images = house.datasets.images(dataset.id, Split.TRAIN)
        recipe = load_recipe(run.recipe).framed(outlined(images))
        learned = samples(images, self._objects, framing(recipe))
        cache = StoredFeatures(self._objects)
        model = fit(learned, recipe, self._weights, progress=self._reporter(run), cache=cache, seed=run.seed)
        with tempfile.TemporaryDirectory() as folder:
            save(model, Path(folder, "bundle"), synthetic=dataset.synthetic)
            bundle = load(Path(folder, "bundle"))
            publish(Path(folder, "bundle"), self._objects)
        self._finish(run, bundle.digest, dict(model.metrics), dataset.synthetic)

    def _reporter(self, run: TrainingRun):
        def report(stage: str, fraction: float, message: str, metrics: Mapping[str, float]) -> None:
            begin, end = SHARES[stage]
            with self._ledger.whole(ACTOR) as house:
                done = begin + (end - begin) * fraction
                if not house.runs.progress(run.lease_token, self._lease, stage, done, message):
                    raise LeaseLost

        return report

    def _finish(self, run: TrainingRun, digest: str, metrics: dict[str, float], synthetic: bool) -> None:
        with self._ledger.whole(ACTOR) as house:
            if house.runs.finish(run.lease_token, digest, metrics):
                house.models.store(digest, load_recipe(run.recipe).name, run.recipe, run.id, synthetic, metrics)

    def _fail(self, run: TrainingRun, reason: str, message: str) -> None:
        with self._ledger.whole(ACTOR) as house:
            house.runs.fail(run.lease_token, reason, message)


class StoredFeatures:
    """Computed features in the object store, shared by all trainers and kept between runs."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def get(self, key: str) -> bytes | None:
        return self._objects.get_named(key)

    def put(self, key: str, vector: bytes) -> None:
        self._objects.put_named(key, vector)
