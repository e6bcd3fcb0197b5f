"""What the database itself refuses, whatever the code forgets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from deploy.local import EmbeddedEngines
from shared.domain.audit.events import Event
from shared.domain.burnt_in_text import TextPolicy
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import Priority
from shared.domain.outcomes import OutcomeSource
from shared.domain.reader_first import ReaderFirst
from shared.domain.reader_studies import CaseSelection, Design
from shared.domain.roles import Role
from shared.errors import NotFound
from shared.guidelines import DEFAULT_RULE
from shared.ledger import HospitalSession, Ledger
from shared.ledger.cases.outcomes import NewOutcome
from shared.ledger.cases.reader_levels import NewReaderLevel
from shared.ledger.cases.similar_cases import EmbeddedCase
from shared.ledger.cases.worklist import WorklistFilter
from shared.ledger.db_role import RolesMissing, can_bypass_row_level_security
from shared.ledger.hospitals.api_keys import ApiKeys
from shared.ledger.hospitals.rate_limits import RateLimit
from shared.ledger.idempotency.receipts import Receipts, StoredResponse
from shared.ledger.jobs.dead_letters import DeadLetters
from shared.ledger.monitoring.observations import (
    Observation,
    Observations,
    Period,
    Quantity,
    Window,
)
from shared.ledger.monitoring.wallboard import Span, Wallboard
from shared.ledger.people.repository import People
from shared.ledger.previews.repository import NewPreview
from shared.ledger.reader_studies.repository import NewStudy
from shared.ledger.schema.migrate import migrate
from shared.ledger.scope import HospitalRepository
from shared.ledger.transaction import repository
from tests.support.builders import CASE, result
from tests.support.database_logins import create_login

MODEL = "d" * 64
OWN_LEVEL = NewReaderLevel(guideline="ACR-2017", level="TR4")
OPEN = Window(datetime.now(UTC) - timedelta(days=1))
DENIED = "permission denied|row-level security"


@dataclass(frozen=True)
class Accepted:
    case_id: UUID
    job_id: UUID
    study_id: UUID | None = None
    preview_id: UUID | None = None


@pytest.fixture
def services(database_url: str) -> Iterator[Ledger]:
    """The ledger under the login that the services have."""
    service_ledger = Ledger(
        make_url(database_url)
        .set(username="sera_service")
        .render_as_string(hide_password=False)
    )
    yield service_ledger
    service_ledger.close()


@pytest.fixture
def hospital(services: Ledger) -> Callable[[str], UUID]:
    def ensured(name: str) -> UUID:
        with services.system_session("test") as system:
            return system.hospitals.ensure(name)

    return ensured


@pytest.fixture
def rows(services: Ledger, hospital: Callable[[str], UUID]) -> Accepted:
    """A case of the north with something in every table of a hospital."""
    north = hospital("north")
    with services.hospital_session(north, "test") as session:
        case = session.cases.add(CASE)
        accepted = Accepted(case, session.jobs.create(case, Priority.ROUTINE))
        session.receipts.reserve("k", "body")
        session.receipts.store("k", StoredResponse(202, {}, b"", case))
        session.outcomes.record(
            case, NewOutcome(True, OutcomeSource.CYTOLOGY, patient="7")
        )
        session.audit.record(Event.CASE_ACCEPTED, case=case)
    with services.system_session("worker") as system:
        system.api_keys.create_text(Role.HOSPITAL_ADMIN, north, "test")
        system.hospitals.change(
            north,
            {
                "blank_text": TextPolicy.BLANK.value,
                "reader_first": ReaderFirst.ON.value,
                "fna_rule": DEFAULT_RULE,
            },
        )
        boss = system.people.create("boss@north", Role.HOSPITAL_ADMIN, north, "hash")
        lease = system.queue.claim("w", 1, timedelta(seconds=60), 3)
        system.queue.finish(lease.token, MODEL, {accepted.job_id: result()})
        system.observations.record([_observation(accepted, north)])
    with services.hospital_session(north, "test") as session:
        assert session.explanations.request(case)
        session.reader_levels.store(boss.id, case, OWN_LEVEL)
        study = session.reader_studies.create(_study(boss.id))
        preview = session.previews.keep(PREVIEW, timedelta(minutes=30))
        session.previews.request_outlines(preview.id, None)
    return replace(accepted, study_id=study, preview_id=preview.id)


@pytest.fixture
def without_code_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code without its own scope."""
    monkeypatch.setattr(
        HospitalRepository, "_restrict_to_hospital", lambda self, query, table: query
    )
    monkeypatch.setattr(ApiKeys, "_restrict_to_hospital", lambda self, query: query)
    monkeypatch.setattr(DeadLetters, "_restrict_to_hospital", lambda self, query: query)
    monkeypatch.setattr(People, "_restrict_to_hospital", lambda self, query: query)
    monkeypatch.setattr(
        Observations, "_restrict_to_hospital", lambda self, query, window, column: query
    )
    monkeypatch.setattr(
        Wallboard, "_restrict_to_hospital", lambda self, query, column: query
    )


def _study(*readers: UUID) -> NewStudy:
    return NewStudy(
        name="study",
        question="?",
        design=Design.SEQUENTIAL,
        seed=1,
        selection=CaseSelection.NEWEST,
        count=1,
        cases=(),
        readers=readers,
    )


def _observation(accepted: Accepted, hospital: UUID) -> Observation:
    numbers = {
        "score": 0.5,
        "risk": 0.5,
        "cutoff": 0.4,
        "strangeness": 1.0,
        "embedding": (0.1,),
    }
    codes = {
        "benign_p": 0.5,
        "malignant_p": 0.5,
        "warnings": ("small",),
        "decision": "malignant",
        "device": None,
    }
    ids = {
        "job_id": accepted.job_id,
        "case_id": accepted.case_id,
        "hospital_id": hospital,
        "model_digest": MODEL,
    }
    return Observation(**ids, **numbers, **codes)


PREVIEW = NewPreview(
    image_sha256="f" * 64,
    image_bytes=1000,
    image_format="png",
    width=300,
    height=300,
    frame=None,
    device=None,
    source="file",
    text_policy="warn",
    removed={},
    findings=[],
)
OTHER_CASE = EmbeddedCase(MODEL, (0.1,), "e" * 64)
DAYS = Span(datetime.now(UTC) + timedelta(days=1), timedelta(days=1), 3)
READINGS: dict[str, list[Callable[[HospitalSession, Accepted], object]]] = {
    "cases": [
        lambda b, rows: b.cases.find(rows.case_id),
        lambda b, rows: b.cases.job_ids(rows.case_id),
    ],
    "jobs": [
        lambda b, rows: b.jobs.find(rows.job_id),
        lambda b, rows: b.jobs.page(None, None, 10),
        lambda b, rows: b.jobs.cancel(rows.job_id),
    ],
    "dead_letters": [
        lambda b, rows: b.dead_letters.rerun(rows.job_id),
        lambda b, rows: b.dead_letters.rerun_all("internal", 10),
    ],
    "worklist": [
        lambda b, rows: b.worklist.page(WorklistFilter(), None, 10),
        lambda b, rows: b.worklist.count_all(WorklistFilter()),
        lambda b, rows: b.worklist.dead_letter_groups(),
    ],
    "receipts": [lambda b, rows: b.receipts.find("k", "body")],
    "explanations": [lambda b, rows: b.explanations.request(rows.case_id)],
    "previews": [
        lambda b, rows: b.previews.is_kept(rows.preview_id),
        lambda b, rows: b.previews.find(rows.preview_id),
        lambda b, rows: b.previews.outlines(rows.preview_id, None),
        lambda b, rows: b.previews.usage().count,
        lambda b, rows: b.previews.outline_usage(rows.preview_id).of_preview,
        lambda b, rows: b.previews.outline_usage(rows.preview_id).waiting,
    ],
    "outcomes": [lambda b, rows: b.outcomes.latest(rows.case_id)],
    "reader_levels": [
        lambda b, rows: b.reader_levels.of_case(rows.case_id),
        lambda b, rows: b.reader_levels.withheld(uuid4(), [rows.case_id]),
        lambda b, rows: b.reader_levels.fna_rule() is not None,
    ],
    "observations": [
        lambda b, rows: b.observations.decisions(OPEN),
        lambda b, rows: b.observations.quantile_counts(
            OPEN, MODEL, Quantity.SCORE, [[0.5]]
        ),
        lambda b, rows: b.observations.warnings(OPEN),
        lambda b, rows: b.observations.failures(OPEN),
        lambda b, rows: b.observations.period_counts(OPEN, Period.MONTH),
        lambda b, rows: b.observations.verified(OPEN, Period.MONTH),
    ],
    "similar_cases": [
        lambda b, rows: b.similar_cases.embedded_case(rows.case_id),
        lambda b, rows: b.similar_cases.nearest(OTHER_CASE, uuid4(), 6).candidate_count,
    ],
    "api_keys": [lambda b, rows: b.api_keys.all()],
    "people": [lambda b, rows: b.people.all()],
    "rate_limits": [lambda b, rows: b.rate_limits.status(RateLimit(9, 9)).inflight],
    "text_policies": [lambda b, rows: b.text_policies.read() is TextPolicy.BLANK],
    "seals": [lambda b, rows: b.seals.all()],
    "erasures": [
        lambda b, rows: b.erasures.erase(rows.case_id, ErasureReason.PATIENT_REQUEST)
    ],
    "orphaned_objects": [lambda b, rows: b.orphaned_objects.hold([CASE.image_sha256])],
    "wallboard": [
        lambda b, rows: b.wallboard.read(DAYS).throughputs,
        lambda b, rows: b.wallboard.read(DAYS).lanes,
        lambda b, rows: b.wallboard.read(DAYS).running,
        lambda b, rows: b.wallboard.read(DAYS).dead_letters,
        lambda b, rows: b.wallboard.read(DAYS).decisions,
        lambda b, rows: len(b.wallboard.read(DAYS).hospitals) > 1,
    ],
    "audit": [lambda b, rows: b.audit.page()],
    "reader_studies": [
        lambda b, rows: b.reader_studies.all(),
        lambda b, rows: b.reader_studies.eligible(),
        lambda b, rows: b.reader_studies.progress(rows.study_id),
        lambda b, rows: b.reader_studies.counts(rows.study_id)["cases"],
    ],
    "readings": [
        lambda b, rows: b.readings.study_cases(rows.study_id),
        lambda b, rows: b.readings.all(rows.study_id),
        lambda b, rows: b.readings.breaches(rows.study_id),
        lambda b, rows: b.readings.previously_seen(rows.study_id),
    ],
}
"""Every query of every repository of a hospital session."""
UNTOLD = (
    "wallboard",
    "jobs",
    "dead_letters",
    "observations",
    "rate_limits",
    "seals",
    "erasures",
    "orphaned_objects",
    "readings",
    "previews",
    "worklist",
)
"""Not all of these find something for the owner of the rows."""


def test_every_repository_of_a_hospitals_session_is_read_here():
    members = vars(HospitalSession).items()
    assert set(READINGS) == {
        name for name, member in members if isinstance(member, repository)
    }


@pytest.mark.usefixtures("without_code_scope")
@pytest.mark.parametrize("repository", READINGS)
def test_without_the_codes_own_scope_another_hospital_sees_nothing(
    services, hospital, rows, repository
):
    with services.hospital_session(hospital("south"), "test") as session:
        _as(hospital("north"), session.receipts)
        if repository == "audit":  # its scope is not patched: take it away, too
            session.audit._hospital = None
            assert [event.event for event in session.audit.page()] == [
                Event.HOSPITAL_ADDED
            ]
            return
        assert not any(read(session, rows) for read in READINGS[repository])


@pytest.mark.usefixtures("without_code_scope")
def test_the_owner_of_the_rows_sees_them_all_the_same(services, hospital, rows):
    with services.hospital_session(hospital("north"), "test") as session:
        for name, reads in READINGS.items():
            assert name in UNTOLD or all(read(session, rows) for read in reads)
        assert session.jobs.find(rows.job_id)
        assert session.observations.decisions(OPEN)
        assert session.worklist.page(WorklistFilter(), None, 10)


def _as(hospital: UUID, receipts: Receipts) -> Receipts:
    """Receipts that take themselves for another hospital's."""
    receipts._hospital = hospital
    return receipts


@pytest.mark.usefixtures("without_code_scope")
def test_without_the_codes_own_scope_nothing_of_another_hospital_is_written(
    services, hospital, rows
):
    south = hospital("south")
    with pytest.raises(NotFound), services.hospital_session(south, "test") as session:
        session.outcomes.record(rows.case_id, NewOutcome(False, OutcomeSource.CYTOLOGY))
    with pytest.raises(NotFound), services.hospital_session(south, "test") as session:
        session.reader_levels.store(uuid4(), rows.case_id, OWN_LEVEL)
    writings = (
        lambda session: session.jobs.create(rows.case_id, Priority.ROUTINE),
        lambda session: _as(hospital("north"), session.receipts).reserve(
            "mine", "body"
        ),
        lambda session: session.observations.record([_observation(rows, south)]),
    )
    for write in writings:
        with (
            pytest.raises(ProgrammingError, match=DENIED),
            services.hospital_session(south, "test") as session,
        ):
            write(session)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM shadow_results",
        "SELECT 1 FROM datasets",
        "SELECT 1 FROM orphans",
        "UPDATE hospitals SET prevalence = 0.5",
        "UPDATE results SET body = '{}'",
        "DELETE FROM cases",
        "DELETE FROM audit_events",
        "DELETE FROM reader_levels",
        "UPDATE reader_levels SET level = 'TR1'",
        "UPDATE audit_events SET actor = 'nobody'",
        "INSERT INTO api_keys (id, hospital_id, role, label, secret_sha256) "
        "SELECT 'x', current_setting('sera.hospital')::uuid, 'hospital_admin', '', ''",
        "INSERT INTO audit_events (actor, event) VALUES ('x', 'y')",
        "INSERT INTO people (id, name, hospital_id, role) "
        "SELECT gen_random_uuid(), 'x', current_setting('sera.hospital')::uuid, 'hospital_admin'",
        "INSERT INTO people (id, name, role) VALUES (gen_random_uuid(), 'x', 'reader')",
        "SELECT password_hash FROM people",
        "SELECT totp_secret FROM people",
        "SELECT 1 FROM sessions",
        "SELECT 1 FROM strangers",
        "SELECT 1 FROM doorsteps",
        "SELECT 1 FROM arrivals",
    ],
)
def test_a_hospitals_transaction_may_only_what_its_work_needs(
    services, hospital, rows, statement
):
    with (
        pytest.raises(ProgrammingError, match=DENIED),
        services.hospital_session(hospital("north"), "test") as session,
    ):
        session.cases._session.execute(text(statement))


def test_a_hospital_reads_no_secret_but_the_one_that_hides_patients(
    services, hospital, rows
):
    with services.system_session("test") as system:
        system.pseudonyms._session.execute(
            text("INSERT INTO secrets (name, value) VALUES ('signing', 'x')")
        )
    with services.hospital_session(hospital("north"), "test") as session:
        assert session.cases._session.scalars(
            text("SELECT name FROM secrets")
        ).all() == ["pseudonyms"]


def test_what_is_on_record_no_service_may_change(services, hospital, rows):
    for table in (
        "audit_events",
        "outcomes",
        "reader_levels",
        "promotions",
        "gates",
        "dataset_versions",
        "version_images",
    ):
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                services.system_session("test") as system,
            ):
                system.queue._session.execute(text(statement))


def test_a_place_in_the_queue_counts_other_hospitals_jobs(services, hospital):
    for name, place in (("north", 1), ("south", 2)):
        with services.hospital_session(hospital(name), "test") as session:
            job = session.jobs.create(session.cases.add(CASE), Priority.ROUTINE)
        with services.hospital_session(hospital(name), "test") as session:
            assert session.jobs.find(job).position == place


def test_a_login_that_takes_on_no_role_sees_nothing(services, rows):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        services.engine.connect() as line,
    ):
        line.execute(text("SELECT 1 FROM cases"))


def test_connections_that_died_in_the_pool_cost_no_transaction(
    services, database_url, hospital
):
    north = hospital("north")
    with (
        services.system_session("test") as first_session,
        services.system_session("test") as second_session,
    ):
        assert first_session.queue.depth() == second_session.queue.depth()
    engine = create_engine(database_url)
    with engine.connect() as line:
        ended = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE usename = 'sera_service'"
        )
        assert line.scalar(ended) >= 2
    engine.dispose()
    for _ in range(3):
        with (
            services.hospital_session(north, "test") as session,
            services.system_session("test") as system,
        ):
            assert session.jobs.page(None, None, 1) == []
            assert system.queue.depth()


def test_a_standing_ends_with_its_transaction(services, hospital, rows):
    with services.hospital_session(hospital("north"), "test") as session:
        assert session.jobs.page(None, None, 1)
    with services.engine.connect() as line:
        query = text("SELECT current_user, current_setting('sera.hospital', true)")
        assert line.execute(query).one() == ("sera_service", "")


def test_every_table_of_a_hospital_is_under_row_level_security(ledger):
    found = text(
        "SELECT c.relname, relrowsecurity AND relforcerowsecurity "
        "FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace "
        "AND attname = 'hospital_id'"
    )
    with ledger.engine.connect() as line:
        guarded = dict(line.execute(found).all())
    assert len(guarded) >= 10
    assert [table for table, is_protected in guarded.items() if not is_protected] == []


def test_a_login_without_the_roles_is_told_the_next_step(database_url):
    name = f"stranger_{uuid4().hex}"
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as line:
        create_login(line, name)
    stranger = Ledger(
        make_url(database_url).set(username=name).render_as_string(hide_password=False)
    )
    with pytest.raises(RolesMissing, match="sera_service"):
        stranger.ping()
    stranger.close()
    engine.dispose()


def test_a_login_that_could_pass_the_walls_by_is_known(database_url):
    service = (
        make_url(database_url)
        .set(username="sera_service")
        .render_as_string(hide_password=False)
    )
    assert (
        can_bypass_row_level_security(database_url),
        can_bypass_row_level_security(service),
    ) == (True, False)


@pytest.fixture
def owner(engines: EmbeddedEngines) -> Iterator[URL]:
    """An empty database of an ordinary owner, as an administrator may hand one out."""
    name = f"owner_{uuid4().hex}"
    engine = create_engine(engines.database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as line:
        create_login(line, name)
        line.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
        yield make_url(engines.database_url).set(database=name, username=name)
        line.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def test_an_ordinary_owner_whom_an_administrator_gave_the_roles_migrates_and_is_walled_in_too(
    engines, owner, migrated
):
    url = owner.render_as_string(hide_password=False)
    with pytest.raises(DBAPIError, match="GRANT sera_house, sera_hospital TO"):
        migrate(url)
    _grant(engines, owner.username)
    migrate(url)
    ledger = Ledger(url)
    for name, place in (("north", 1), ("south", 2)):
        with ledger.system_session("test") as system:
            hospital = system.hospitals.ensure(name)
        with ledger.hospital_session(hospital, "test") as session:
            job = session.jobs.create(session.cases.add(CASE), Priority.ROUTINE)
            assert session.jobs.find(job).position == place
            assert session.cases._session.scalar(text("SELECT count(*) FROM jobs")) == 1
            session.outcomes.record(
                session.jobs.find(job).case_id, NewOutcome(True, OutcomeSource.CYTOLOGY)
            )
    with ledger.hospital_session(hospital, "test") as session:
        assert session.erasures.erase(
            session.jobs.find(job).case_id, ErasureReason.PATIENT_REQUEST
        )
        assert session.cases._session.scalar(text("SELECT count(*) FROM outcomes")) == 0
    ledger.close()
    assert can_bypass_row_level_security(url)


def _grant(engines: EmbeddedEngines, name: str) -> None:
    engine = create_engine(engines.database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as line:
        line.execute(text(f"GRANT sera_house, sera_hospital TO {name}"))
    engine.dispose()
