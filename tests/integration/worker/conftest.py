"""A worker's parts on a real database and a directory of objects, with a small live model."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from services.worker.bundle_cache import BundleCache
from services.worker.inference.loop import InferenceService
from services.worker.inference.preparation import Preparation
from services.worker.live_model import LiveModel
from shared.bundles import save
from shared.bundles.storage import publish
from shared.domain.jobs import Priority
from shared.imaging.sandbox.pool import SandboxPool
from shared.learning import FittedModel
from shared.ledger import Ledger
from shared.ledger.jobs.heartbeat import Heartbeat
from shared.ledger.jobs.repository import Job
from shared.objects import ObjectStore, open_store
from shared.settings import Settings
from tests.support.builders import CASE, png
from tests.support.outlines import finding_nothing, outlining_model

LEASE = timedelta(minutes=1)


@pytest.fixture(scope="session")
def bundles(
    small_model: FittedModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Folders of two bundles that differ only in whether they are marked synthetic, by digest."""
    root = tmp_path_factory.mktemp("bundles")
    return {
        save(small_model, root / str(mark), synthetic=mark): root / str(mark)
        for mark in (True, False)
    }


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_store((tmp_path / "objects").as_uri())


@pytest.fixture
def promote(
    ledger: Ledger, objects: ObjectStore, bundles: dict[str, Path]
) -> Callable[[int], str]:
    """Publishes and promotes the bundle of this number; returns its digest."""

    def promote(number: int) -> str:
        return promote_folder(ledger, objects, list(bundles.values())[number])

    return promote


@pytest.fixture(scope="session")
def outlining_bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Folders of two bundles with outline networks, by whether the network finds nothing."""
    root = tmp_path_factory.mktemp("outlining")
    folders = {False: root / "finding", True: root / "finding-nothing"}
    save(outlining_model(), folders[False], synthetic=True)
    save(finding_nothing(), folders[True], synthetic=True)
    return folders


@pytest.fixture
def promote_outlining(
    ledger: Ledger, objects: ObjectStore, outlining_bundles: dict[bool, Path]
) -> Callable[..., str]:
    """Publishes and promotes a bundle with an outline network; returns its digest."""

    def promote(finds_nothing: bool = False) -> str:
        return promote_folder(ledger, objects, outlining_bundles[finds_nothing])

    return promote


def promote_folder(ledger: Ledger, objects: ObjectStore, folder: Path) -> str:
    digest = publish(folder, objects)
    with ledger.system_session("test") as session:
        session.models.store(
            digest=digest,
            name="small",
            recipe="small",
            run_id=None,
            synthetic=True,
            metrics={},
        )
        session.models.promote(digest, "test", "requested by a test")
    return digest


@pytest.fixture
def service(
    ledger: Ledger, objects: ObjectStore, decoders: SandboxPool, tmp_path: Path
) -> InferenceService:
    settings = Settings(home=tmp_path, worker_name="w1", max_attempts=3, lease_s=60)
    cache = BundleCache(ledger, objects, tmp_path / "cache")
    return InferenceService(
        settings=settings,
        ledger=ledger,
        live=LiveModel(ledger, cache, "w1"),
        preparation=Preparation(objects, decoders),
        heartbeat=Heartbeat(lambda tokens: None, LEASE),
    )


@pytest.fixture
def send(ledger: Ledger, objects: ObjectStore) -> Callable[..., UUID]:
    """Stores an image and opens its job, as the gateway does."""

    def send(image: bytes | None = None, **facts: object) -> UUID:
        stored = objects.put(png(3) if image is None else image)
        image_facts = {"image_sha256": stored.sha256, "width": 128, "height": 128}
        case = replace(CASE, **(image_facts | facts))
        with ledger.hospital_session(hospital(ledger), "test") as session:
            return session.jobs.create(session.cases.add(case), Priority.ROUTINE)

    return send


@pytest.fixture
def find(ledger: Ledger) -> Callable[[UUID], Job]:
    def find(job: UUID) -> Job:
        with ledger.hospital_session(hospital(ledger), "test") as session:
            return session.jobs.find(job)

    return find


def hospital(ledger: Ledger) -> UUID:
    with ledger.system_session("test") as session:
        return session.hospitals.ensure("north")
