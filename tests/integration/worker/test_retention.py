"""The sweeper on a real ledger and a directory of objects."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from services.worker.retention import RetentionSweeper
from shared.domain.audit.events import Event
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import Priority
from shared.domain.outcomes import OutcomeSource
from shared.ledger import Ledger
from shared.ledger.cases.outcomes import NewOutcome
from shared.ledger.cases.repository import CaseErased
from shared.objects import ObjectMissing, ObjectsUnavailable
from tests.integration.worker.conftest import hospital
from tests.support.builders import CASE, png


@pytest.fixture
def sweeper(ledger, objects):
    return RetentionSweeper(ledger, objects, default_days=None)


@pytest.fixture
def erase(ledger, find):
    def erase(job):
        with ledger.hospital_session(hospital(ledger), "test") as session:
            return session.erasures.erase(
                find(job).case_id, ErasureReason.PATIENT_REQUEST
            )

    return erase


@pytest.fixture
def aged(ledger, send):
    """Makes answered cases that are ten days old, each with its own image."""

    def make(count):
        jobs = [send(png(seed)) for seed in range(count)]
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE jobs SET state = 'done'")
            connection.exec_driver_sql(
                "UPDATE cases SET created_at = created_at - interval '10 days'"
            )
        return jobs

    return make


class StoreAway:
    """A store that cannot be reached; everything else is the real one's."""

    def __init__(self, objects, fails):
        self._objects = objects
        self._fails = fails

    def __getattr__(self, name):
        return getattr(self._objects, name)

    def delete(self, sha256):
        if self._fails:
            self._fails -= 1
            raise ObjectsUnavailable(problem="away")
        self._objects.delete(sha256)


class DiesAfterDeleting(StoreAway):
    def delete(self, sha256):
        self._objects.delete(sha256)
        if self._fails:
            self._fails -= 1
            raise MemoryError


def count_orphans(ledger):
    with ledger.system_session("test") as session:
        return session.orphaned_objects.count()


def test_the_image_goes_with_its_only_case(sweeper, send, erase, objects):
    job = send(png(1))
    sha256 = objects.put(png(1)).sha256
    sweeper.sweep()
    assert objects.get(sha256) == png(1)
    erase(job)
    sweeper.sweep()
    with pytest.raises(ObjectMissing):
        objects.get(sha256)


def test_the_image_stays_while_another_case_has_it_and_goes_with_the_last(
    sweeper, send, erase, objects
):
    first = send(png(1))
    last = send(png(1))
    sha256 = objects.put(png(1)).sha256
    for job, is_stored in ((first, True), (last, False)):
        erase(job)
        sweeper.sweep()
        assert objects.exists(sha256) is is_stored


def test_due_cases_are_erased_and_the_trail_names_the_sweep(
    sweeper, ledger, aged, find, objects
):
    with ledger.system_session("test") as session:
        session.hospitals.change(hospital(ledger), {"retention_days": 9})
    jobs = aged(12)
    sweeper.sweep()
    for job in jobs:
        with pytest.raises(CaseErased, match="retention"):
            find(job)
    assert list(objects._keys.keys("objects/")) == []
    assert count_orphans(ledger) == 0
    with ledger.hospital_session(hospital(ledger), "test") as session:
        events = [
            (event.actor, event.event) for event in session.audit.page(limit=1000)
        ]
    assert events.count(("retention", Event.CASE_ERASED)) == 12


def test_a_sweep_whose_time_is_over_leaves_the_rest_to_the_next(ledger, objects, aged):
    aged(3)
    for sweep_s, remaining in ((0, 3), (60, 0)):
        RetentionSweeper(ledger, objects, default_days=9, sweep_s=sweep_s).sweep()
        with ledger.system_session("test") as session:
            due_by_hospital = session.retention.count_due(9)
        assert sum(count.cases for count in due_by_hospital.values()) == remaining


def test_an_object_that_cannot_be_removed_now_is_removed_by_a_later_sweep(
    ledger, objects, send, erase
):
    erase(send(png(1)))
    sweeper = RetentionSweeper(ledger, StoreAway(objects, fails=1), None)
    sweeper.sweep()
    assert (count_orphans(ledger), objects.exists(objects.put(png(1)).sha256)) == (
        1,
        True,
    )
    sweeper.sweep()
    assert (count_orphans(ledger), list(objects._keys.keys("objects/"))) == (0, [])


def test_a_crash_between_removal_and_commit_loses_nothing(ledger, objects, send, erase):
    erase(send(png(1)))
    dying = RetentionSweeper(ledger, DiesAfterDeleting(objects, fails=1), None)
    with pytest.raises(MemoryError):
        dying.sweep()
    assert count_orphans(ledger) == 1
    dying.sweep()
    assert count_orphans(ledger) == 0


def test_the_same_image_may_come_again_after_it_was_removed(
    sweeper, ledger, objects, send, erase
):
    erase(send(png(1)))
    sweeper.sweep()
    send(png(1))
    with ledger.hospital_session(hospital(ledger), "test") as session:
        assert len(session.orphaned_objects.hold([objects.put(png(1)).sha256])) == 1
    sweeper.sweep()
    assert objects.get(objects.put(png(1)).sha256) == png(1)


def test_uploads_and_sweeps_at_the_same_moment_leave_no_case_without_its_image(
    ledger, objects
):
    """Each round sends an image as the gateway does, erases an older case of it, and sweeps."""
    hospital_id = hospital(ledger)
    image = png(1)

    def upload(_):
        sha256 = objects.put(image).sha256
        with ledger.hospital_session(hospital_id, "test") as session:
            case_id = session.cases.add(replace(CASE, image_sha256=sha256))
            if session.orphaned_objects.hold([sha256]):
                objects.put(image)
            job = session.jobs.create(case_id, Priority.ROUTINE)
        assert objects.exists(sha256)
        with ledger.hospital_session(hospital_id, "test") as session:
            session.erasures.erase(case_id, ErasureReason.SENT_BY_MISTAKE)
        return job

    with ThreadPoolExecutor(4) as pool:
        sweeps = [
            pool.submit(RetentionSweeper(ledger, objects, None).sweep) for _ in range(8)
        ]
        assert len(list(pool.map(upload, range(12)))) == 12
        for sweep in sweeps:
            sweep.result()
    RetentionSweeper(ledger, objects, None).sweep()
    assert list(objects._keys.keys("objects/")) == []


def test_without_the_database_a_sweep_waits_for_the_next_notification(objects):
    unreachable = Ledger("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with capture_logs() as events:
        RetentionSweeper(unreachable, objects, 1).sweep()
    unreachable.close()
    assert [event["event"] for event in events] == ["retention.waits"]


def test_a_draft_loses_erased_cases_with_the_sweep(sweeper, ledger, send, find, erase):
    job = send(png(1))
    with ledger.hospital_session(hospital(ledger), "test") as session:
        session.outcomes.record(
            find(job).case_id, NewOutcome(True, OutcomeSource.HISTOLOGY, consent=True)
        )
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("set")
        assert session.consents.import_outcomes(dataset).added == 1
    erase(job)
    sweeper.sweep()
    with ledger.system_session("test") as session:
        assert session.consents.datasets_with_erased_cases() == []
        changes = [
            event.details["change"]
            for event in session.audit.page()
            if event.event == Event.DATASET_CHANGED
        ]
    assert changes == ["added", "erased"]
