"""Erasure in the ledger: what goes, what stays, and who may."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.domain.erasure import Ground
from shared.domain.events import Event
from shared.domain.jobs import JobState, Priority
from shared.domain.outcomes import OutcomeSource
from shared.domain.training import Split
from shared.ledger.cases import CaseErased
from shared.ledger.labelled import LabelledImage
from shared.ledger.observations import Observation
from shared.ledger.outcomes import NewOutcome
from shared.ledger.queue import NotADeadLetter
from shared.ledger.receipts import Accepted
from shared.ledger.shadows import Said
from shared.ledger.tables import Table
from shared.ledger.versions import VersionHoldsErased, check_usable
from tests.builders import CASE

DIGEST, PNG = "d" * 64, "b" * 64
MINE = replace(
    CASE, size_mm=17.4321, roi={"box": [401, 402, 403, 404]}, external_id="MRN-99417", device="Brand Scanner-5"
)
TRACES = (
    "MRN-99417",
    "17.4321",
    "401, 402, 403",
    "Brand Scanner-5",
    "0.7177",
    "cytology",
    "key-of-99417",
    "a sentence",
)
SERVICE_ROLES = ("sera_house", "sera_hospital")


@pytest.fixture
def hospital(ledger):
    with ledger.whole("test") as house:
        return house.hospitals.ensure("north")


@pytest.fixture
def opened(ledger, hospital):
    """A case with its job, and a receipt for its key where one is given."""

    def make(case=MINE, key=None, of=None):
        with ledger.scoped(of or hospital, "test") as book:
            case_id = book.cases.add(case)
            accepted = Accepted(case_id, book.jobs.open(case_id, Priority.ROUTINE))
            if key:
                assert book.receipts.keep(key, "f" * 64, accepted)
            return accepted

    return make


@pytest.fixture
def finish(ledger):
    """Reads the oldest job and writes all that can come of it."""

    def done():
        with ledger.whole("worker") as house:
            lease = house.queue.claim("w", 1, timedelta(minutes=1), 5)
            job = lease.jobs[0]
            written = house.queue.finish(lease.token, DIGEST, {job.id: result()})
            house.observations.keep([observation(job)] if written else [])

    return done


@pytest.fixture
def erase(ledger, hospital):
    def gone(case_id, ground=Ground.PATIENT_REQUEST, of=None):
        with ledger.scoped(of or hospital, "key:abc") as book:
            return book.erasures.erase(case_id, ground)

    return gone


def run_as(ledger, role, hospital, statement):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}; SET LOCAL sera.hospital = '{hospital}'")
        connection.exec_driver_sql(statement)


def result():
    return {"risk": 0.7177, "score": 0.7177, "decision": "benign", "prevalence": 0.2}


def observation(job):
    scores = {"score": 0.7177, "risk": 0.7177, "decision": "benign", "cutoff": 0.5, "strangeness": None}
    return Observation(
        job_id=job.id,
        case_id=job.case_id,
        hospital_id=job.hospital_id,
        model_digest=DIGEST,
        device=job.device,
        **scores,
        embedding=(0.7177,),
        benign_p=None,
        malignant_p=None,
        warnings=(),
    )


def rows(ledger):
    """Every row of every table, as text, by table."""
    with ledger.engine.connect() as connection:
        names = [table.name for table in Table.metadata.sorted_tables]
        return {name: [str(row) for row in connection.execute(text(f"SELECT t::text FROM {name} t"))] for name in names}


def traces(ledger, words=TRACES):
    return {(name, word) for name, found in rows(ledger).items() for row in found for word in words if word in row}


def chain(ledger, hospital):
    with ledger.scoped(hospital, "test") as book:
        return [(each.event, each.details) for each in book.audit.page()]


def test_nothing_of_an_erased_case_is_left_in_any_table(ledger, hospital, opened, finish, erase):
    accepted = opened(key="key-of-99417")
    finish()
    told = NewOutcome(True, OutcomeSource.CYTOLOGY, patient="P-1", consent=True)
    with ledger.whole("test") as house:
        house.models.store(DIGEST, "light", "light", None, False, {})
        shadow = house.shadows.start(DIGEST, "test")
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("UPDATE shadows SET started_at = started_at - interval '1 hour'")
        owner.exec_driver_sql("UPDATE jobs SET message = 'a sentence'")
    with ledger.whole("shadow") as house:
        watched = house.shadows.claim(replace(shadow, started_at=shadow.started_at - timedelta(hours=1)), 5)
        assert house.shadows.keep(shadow, [(each, Said(0.7177, 0.7177, "benign")) for each in watched]) == 1
    with ledger.scoped(hospital, "test") as book:
        book.outcomes.record(accepted.case_id, told)
        book.explanations.ask(accepted.case_id)
    with ledger.whole("worker") as house:
        house.explanations.answer(house.explanations.next(), PNG, None)
    assert {word for _, word in traces(ledger)} == set(TRACES)

    erase(accepted.case_id)

    assert traces(ledger) == set()
    left = rows(ledger)
    for name in ("results", "observations", "outcomes", "explanations", "shadow_results"):
        assert left[name] == [], name
    with ledger.whole("test") as house:
        assert sorted(house.orphans.waiting(10)) == sorted([CASE.image_sha256, PNG])


def test_who_asks_for_an_erased_case_is_told_when_and_why(ledger, hospital, opened, finish, erase):
    accepted = opened(key="k")
    finish()
    erase(accepted.case_id)
    asked = (
        lambda book: book.cases.find(accepted.case_id),
        lambda book: book.jobs.find(accepted.job_id),
        lambda book: book.jobs.cancel(accepted.job_id),
        lambda book: book.outcomes.record(accepted.case_id, NewOutcome(True, OutcomeSource.CYTOLOGY)),
        lambda book: book.receipts.find("k", "f" * 64),
        lambda book: book.receipts.find("k", "another body"),
    )
    for ask in asked:
        told = pytest.raises(CaseErased, match=r"erased on \d{4}-\d\d-\d\d \(patient-request\)")
        with told, ledger.scoped(hospital, "test") as book:
            ask(book)
    with ledger.scoped(hospital, "test") as book:
        assert book.jobs.page(None, None, 10) == []
        assert book.receipts.find("another key", "f" * 64) is None


def test_erased_twice_the_first_word_stands(opened, erase):
    case_id = opened().case_id
    first, again = erase(case_id), erase(case_id, Ground.SENT_BY_MISTAKE)
    assert (again.erased_at, again.ground) == (first.erased_at, Ground.PATIENT_REQUEST)


def test_another_hospital_erases_nothing(ledger, hospital, opened, erase):
    case_id = opened().case_id
    with ledger.whole("test") as house:
        south = house.hospitals.ensure("south")
    assert erase(case_id, of=south) is None
    assert erase(uuid4()) is None
    with ledger.scoped(hospital, "test") as book:
        assert book.cases.find(case_id).external_id == "MRN-99417"


def test_the_trail_says_who_when_and_on_what_ground(ledger, hospital, opened, erase):
    accepted = opened()
    erase(accepted.case_id)
    with ledger.scoped(hospital, "test") as book:
        told = [(each.event, each.actor, each.case_id, each.details) for each in book.audit.page()[-2:]]
    image = {"ground": "patient-request", "image": CASE.image_sha256}
    assert told == [
        (Event.JOB_CANCELLED, "key:abc", accepted.case_id, {"why": "case-erased"}),
        (Event.CASE_ERASED, "key:abc", accepted.case_id, image),
    ]


def test_a_worker_that_comes_late_writes_nothing(ledger, opened, erase):
    accepted = opened()
    with ledger.whole("worker") as house:
        lease = house.queue.claim("w", 1, timedelta(minutes=1), 5)
    erase(accepted.case_id)
    with ledger.whole("worker") as house:
        assert house.queue.finish(lease.token, DIGEST, {accepted.job_id: result()}) == set()
        house.queue.fail(lease.token, {})
        assert house.queue.reclaim(5) == 0
    left = rows(ledger)
    assert (left["results"], len(left["jobs"])) == ([], 1)
    assert "cancelled" in left["jobs"][0]


def test_a_result_that_is_being_written_at_this_moment_is_waited_for_and_erased_too(ledger, opened, erase):
    accepted = opened()
    with ThreadPoolExecutor(1) as pool:
        with ledger.whole("worker") as house:
            lease = house.queue.claim("w", 1, timedelta(minutes=1), 5)
            house.audit.write()
        with ledger.whole("worker") as house:
            assert house.queue.finish(lease.token, DIGEST, {accepted.job_id: result()}) == {accepted.job_id}
            house.observations.keep([observation(lease.jobs[0])])
            erasing = pool.submit(erase, accepted.case_id)
            assert waits_for_a_lock(ledger)
        assert erasing.result().ground is Ground.PATIENT_REQUEST
    assert traces(ledger) == set()


def waits_for_a_lock(ledger):
    """Whether some transaction does, once it has begun."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return any(connection.scalar(query) for _ in range(5000))


def test_a_dead_letter_of_an_erased_case_cannot_be_run_again(ledger, opened, erase):
    accepted = opened()
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("UPDATE jobs SET state = 'failed', reason = 'worker-lost'")
    erase(accepted.case_id)
    with pytest.raises(NotADeadLetter), ledger.whole("test") as house:
        house.queue.rerun(accepted.job_id)
    with ledger.whole("test") as house:
        assert house.queue.progress().dead_letters == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {table}",
        "UPDATE cases SET erased_at = NULL WHERE erased_at IS NOT NULL",
        "UPDATE cases SET external_id = 'other' WHERE erased_at IS NOT NULL",
    ],
)
@pytest.mark.parametrize("role", SERVICE_ROLES)
def test_no_service_deletes_rows_of_a_case_or_writes_on_a_tombstone(ledger, hospital, opened, erase, role, statement):
    erase(opened().case_id)
    opened()
    tables = ("cases", "jobs", "results", "explanations", "receipts", "observations", "shadow_results", "outcomes")
    for table in tables if "{table}" in statement else tables[:1]:
        with pytest.raises(DBAPIError, match=r"permission denied|stays as it is"):
            run_as(ledger, role, hospital, statement.format(table=table))


def test_a_hospital_marks_a_case_and_writes_nothing_else_of_it(ledger, hospital, opened):
    opened()
    with pytest.raises(DBAPIError, match="permission denied"):
        run_as(ledger, "sera_hospital", hospital, "UPDATE cases SET size_mm = 1")


def test_not_even_the_owner_deletes_an_outcome_of_a_case_that_is_kept(ledger, hospital, opened):
    with ledger.scoped(hospital, "test") as book:
        book.outcomes.record(opened().case_id, NewOutcome(True, OutcomeSource.CYTOLOGY))
    for statement in ("DELETE FROM outcomes", "UPDATE outcomes SET malignant = false", "TRUNCATE outcomes"):
        with pytest.raises(DBAPIError, match="append-only"), ledger.engine.begin() as owner:
            owner.exec_driver_sql(statement)


def age(ledger, case_id, days):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            f"UPDATE cases SET created_at = clock_timestamp() - interval '{days} days' WHERE id = '{case_id}'"
        )


def erase_due(ledger, default=None):
    """As the sweeper does it; how many it erased."""
    with ledger.whole("retention") as house:
        due = house.retention.oldest_due(default, 20)
    erased = 0
    for case_id in due:
        with ledger.whole("retention") as house:
            erased += house.retention.erase(case_id, default)
    return erased


def due(ledger, hospital, default=None):
    with ledger.whole("test") as house:
        found = house.retention.due(default).get(hospital)
        return found and (found.cases, found.overdue)


def test_a_case_goes_when_its_hospitals_time_is_over_and_not_before(ledger, hospital, opened, finish):
    old, young = opened().case_id, opened().case_id
    finish()
    finish()
    age(ledger, old, 30.5)
    age(ledger, young, 29.5)
    assert (erase_due(ledger), due(ledger, hospital)) == (0, None)
    with ledger.whole("test") as house:
        house.hospitals.change(hospital, {"retention_days": 30})
        assert [house.retention.would_be_due(hospital, days) for days in (29, 30, 31)] == [2, 1, 0]
    assert due(ledger, hospital) == (1, 0)
    assert (erase_due(ledger), erase_due(ledger)) == (1, 0)
    with ledger.scoped(hospital, "test") as book:
        assert book.cases.find(young).external_id == "MRN-99417"
        with pytest.raises(CaseErased, match="retention"):
            book.cases.find(old)
    assert chain(ledger, hospital)[-1][1]["ground"] == "retention"


def test_the_installations_days_hold_where_a_hospital_says_none(ledger, hospital, opened, finish):
    with ledger.whole("test") as house:
        south = house.hospitals.ensure("south")
        house.hospitals.change(south, {"retention_days": 365})
    for each in (opened(), opened(of=south)):
        finish()
        age(ledger, each.case_id, 100)
    assert (due(ledger, hospital, 90), due(ledger, south, 90)) == ((1, 1), None)
    assert erase_due(ledger, 90) == 1


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_a_case_that_is_still_to_be_answered_is_never_due(ledger, hospital, opened, state):
    accepted = opened()
    age(ledger, accepted.case_id, 1000)
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(f"UPDATE jobs SET state = '{state}'")
    assert (due(ledger, hospital, 1), erase_due(ledger, 1)) == (None, 0)


def test_several_at_once_erase_each_case_once(ledger, hospital, opened):
    cases = [opened().case_id for _ in range(12)]
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("UPDATE jobs SET state = 'done'")
    for case_id in cases:
        age(ledger, case_id, 10)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: erase_due(ledger, 1), range(3))) == 12
    told = [details for event, details in chain(ledger, hospital) if event == Event.CASE_ERASED]
    assert len(told) == 12


@pytest.fixture
def taken(ledger, hospital, opened, finish):
    """A case whose image a dataset took with the hospital's consent, frozen beside two imported images."""
    accepted = opened()
    finish()
    with ledger.scoped(hospital, "test") as book:
        book.outcomes.record(accepted.case_id, NewOutcome(True, OutcomeSource.HISTOLOGY, consent=True))
    with ledger.whole("test") as house:
        dataset = house.datasets.ensure("set")
        house.drafts.offer(
            dataset, [LabelledImage("e" * 64, False, Split.TRAIN), LabelledImage(PNG, True, Split.TRAIN)]
        )
        assert house.consents.take(dataset).added == 1
        version = house.versions.freeze(dataset)
    return accepted.case_id, dataset, version


def test_an_erased_image_leaves_the_draft_and_later_versions_and_shuts_the_frozen_one(ledger, taken, erase):
    case_id, dataset, version = taken
    with ledger.whole("test") as house:
        assert house.versions.erased(version.id) == set()
    erase(case_id)
    with ledger.whole("test") as house:
        assert house.consents.with_erased() == [dataset]
        assert [each.case_id for each in house.consents.forget(dataset)] == [case_id]
        assert house.consents.with_erased() == []
        erased = house.versions.erased(version.id)
        assert erased == {CASE.image_sha256}
        with pytest.raises(VersionHoldsErased, match="1 images of this version"):
            check_usable(erased)
        assert house.versions.find(dataset, 1).images == 3
        again = house.versions.freeze(dataset)
        assert (again.number, again.images, house.versions.erased(again.id)) == (2, 2, set())


def test_freezing_takes_erased_cases_out_even_before_the_sweep(ledger, taken, erase):
    case_id, dataset, _ = taken
    erase(case_id)
    with ledger.whole("test") as house:
        assert house.versions.freeze(dataset).images == 2


def test_an_image_is_let_go_of_by_a_frozen_version_but_not_by_what_was_imported_or_is_another_case(
    ledger, hospital, taken, opened, erase
):
    def removable(sha256):
        with ledger.whole("test") as house:
            return house.orphans.take(sha256)

    case_id, *_ = taken
    other = opened().case_id
    erase(case_id)
    assert removable(CASE.image_sha256) is False
    with ledger.whole("test") as house:
        assert house.orphans.waiting(9) == []
    erase(other)
    assert removable(CASE.image_sha256) is True
    erase(opened(replace(MINE, image_sha256=PNG)).case_id)
    assert removable(PNG) is False


def test_an_object_that_is_held_is_not_removed(ledger, opened, erase, hospital):
    erase(opened().case_id)
    with ledger.scoped(hospital, "test") as book:
        assert book.orphans.hold([CASE.image_sha256]) == {CASE.image_sha256}
        with ledger.whole("test") as house:
            assert house.orphans.take(CASE.image_sha256) is False
            assert house.orphans.count() == 1
    with ledger.whole("test") as house:
        assert (house.orphans.take(CASE.image_sha256), house.orphans.count()) == (False, 0)
