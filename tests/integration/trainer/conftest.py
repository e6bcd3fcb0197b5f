"""Trainers on a real database and a directory of objects, with a few phantoms to learn from."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.trainer.gate import gate_policy
from services.trainer.service import TrainingService
from services.trainer.step_inputs import TrainingTools
from services.trainer.step_owner import StepOwner
from shared.domain.training.states import Split
from shared.ledger import Ledger
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.datasets.versions import Version
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.training.runs import TrainingRun
from shared.networks import WeightsFinder
from shared.objects import ObjectStore, open_store
from shared.queueing.app import Tasks
from shared.settings import Settings
from tests.support.builders import outlined_phantom

LEASE = timedelta(minutes=1)
TRAINING_IMAGES = 28


class NotificationRecorder:
    """A notifier that records its notifications."""

    def __init__(self) -> None:
        self.subjects: list[UUID] = []

    def notify(self, task: Tasks, subject: UUID) -> None:
        self.subjects.append(subject)

    def check(self) -> None:
        """A notification is never lost."""


@pytest.fixture
def notifications() -> NotificationRecorder:
    return NotificationRecorder()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, lease_s=60, max_attempts=3)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture
def make_trainer(
    settings: Settings,
    ledger: Ledger,
    objects: ObjectStore,
    notifications: NotificationRecorder,
) -> Iterator[Callable[..., TrainingService]]:
    trainers: list[TrainingService] = []

    def make(
        owner: StepOwner | None = None, weights: WeightsFinder | None = None
    ) -> TrainingService:
        weights = weights or WeightsFinder(None, Path("nowhere"), download=False)
        tools = TrainingTools(
            objects=objects,
            weights=weights,
            bundle_folder=settings.home / "bundles",
            policy=gate_policy(settings),
        )
        trainer = TrainingService(
            settings=settings,
            ledger=ledger,
            tools=tools,
            heartbeat=Heartbeat(lambda tokens: None, LEASE),
            notifier=notifications,
            owner=owner or StepOwner.current(),
        )
        trainers.append(trainer)
        return trainer

    yield make
    for trainer in trainers:
        trainer.release_run()


@pytest.fixture
def trainer(make_trainer: Callable[..., TrainingService]) -> TrainingService:
    return make_trainer()


def phantom_rows(
    objects: ObjectStore, seeds: range, split: Split = Split.TRAIN
) -> list[LabelledImage]:
    """Phantoms with masks, two of each patient."""
    rows = []
    for seed in seeds:
        image, mask = (objects.put(file).sha256 for file in outlined_phantom(seed))
        rows.append(
            LabelledImage(
                image_sha256=image,
                malignant=seed % 2 == 0,
                split=split,
                mask_sha256=mask,
                patient=f"p{seed // 2}",
            )
        )
    return rows


@pytest.fixture
def dataset(ledger: Ledger, objects: ObjectStore) -> UUID:
    """Phantoms to learn from, and four more in the test part."""
    test_seeds = range(TRAINING_IMAGES, TRAINING_IMAGES + 4)
    rows = [
        *phantom_rows(objects, range(TRAINING_IMAGES)),
        *phantom_rows(objects, test_seeds, Split.TEST),
    ]
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("phantoms", synthetic=True)
        session.datasets.add(dataset, rows)
    return dataset


@pytest.fixture
def version(ledger: Ledger, dataset: UUID) -> Version:
    with ledger.system_session("test") as session:
        return session.versions.freeze(dataset)


@pytest.fixture
def request_run(ledger: Ledger, dataset: UUID, version: Version) -> Callable[..., UUID]:
    """Requests a run of a recipe."""

    def request(recipe: object, folds: int | None = None) -> UUID:
        with ledger.system_session("test") as session:
            return session.runs.request(
                dataset, version.id, str(recipe), seed=0, folds=folds
            )

    return request


@pytest.fixture
def run(ledger: Ledger, request_run: Callable[..., UUID]) -> Callable[..., TrainingRun]:
    """Requests a run, lets a trainer work and returns the run."""

    def run(trainer: TrainingService, recipe: object) -> TrainingRun:
        run_id = request_run(recipe)
        trainer.work()
        with ledger.system_session("test") as session:
            return session.runs.find(run_id)

    return run
