"""A candidate beside the live model, on a real database."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.worker.inference.preparation import Preparation
from services.worker.shadow.loop import ShadowSupervisor
from services.worker.shadow.service import open_shadow_service
from shared.bundles.storage import publish
from shared.domain.audit.events import Event
from shared.domain.messages import Message
from shared.errors import Unavailable
from shared.ledger.models.shadows import (
    AlreadyLive,
    ShadowAbsent,
    ShadowResult,
    ShadowRunning,
)
from shared.settings import Settings
from shared.statistics import shift_prior
from tests.support.builders import png

ROOT = Path(__file__).parents[4]


@pytest.fixture
def candidate(bundles, objects, ledger):
    """The second bundle, stored and not live."""
    digest, folder = list(bundles.items())[1]
    publish(folder, objects)
    with ledger.system_session("test") as session:
        session.models.store(
            digest=digest,
            name="candidate",
            recipe="small",
            run_id=None,
            synthetic=False,
            metrics={},
        )
    return digest


@pytest.fixture
def settings(database_url, tmp_path):
    objects_url = (tmp_path / "objects").as_uri()
    return Settings(
        home=tmp_path,
        database_url=database_url,
        objects_url=objects_url,
        shadow_batch=3,
    )


@pytest.fixture
def restarts():
    """One entry for each restart of the process."""
    return []


@pytest.fixture
def supervisor(settings, ledger, decoders, restarts):
    return ShadowSupervisor(
        ledger,
        open_service=lambda shadow: open_shadow_service(
            settings, ledger, decoders, shadow
        ),
        restart_process=lambda: restarts.append(True),
    )


@pytest.fixture
def start(ledger, candidate):
    def start(digest=candidate, share=1.0):
        with ledger.system_session("operator") as session:
            return session.shadows.start(digest, "operator", share)

    return start


@pytest.fixture
def pairs(ledger):
    def read(shadow):
        with ledger.system_session("test") as session:
            return session.shadows.pairs(shadow)

    return read


def rows(ledger, table):
    with ledger.engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id")
        ]


def test_a_shadow_reads_results_from_its_start_on_and_changes_no_result_or_job(
    service, send, find, promote, start, supervisor, pairs, ledger
):
    live = promote(0)
    early = send(png(1))
    service.work()
    shadow = start()
    jobs = [
        send(png(seed), roi={"box": [20, 20, 80, 80]} if seed % 2 else None)
        for seed in range(5)
    ]
    service.work()
    results_before = rows(ledger, "results")
    jobs_before = rows(ledger, "jobs")
    supervisor.work()
    assert rows(ledger, "results") == results_before
    assert rows(ledger, "jobs") == jobs_before
    shadow_pairs = pairs(shadow)
    assert len(shadow_pairs) == 5
    results = sorted(find(job).result.score for job in jobs)
    assert sorted(pair.live_score for pair in shadow_pairs) == results
    assert all(
        pair.score == pytest.approx(pair.live_score, abs=1e-6) for pair in shadow_pairs
    ), "the same model, twice"
    assert all(
        pair.risk == pytest.approx(pair.live_risk, abs=1e-6) for pair in shadow_pairs
    )
    assert {
        (pair.hospital, pair.live_digest, pair.malignant) for pair in shadow_pairs
    } == {("north", live, None)}
    assert find(early).result


def test_no_result_is_read_twice_and_later_results_are_read_later(
    service, send, promote, start, supervisor, pairs
):
    promote(0)
    shadow = start()
    for expected in (1, 2):
        send()
        service.work()
        supervisor.work()
        supervisor.work()
        assert len(pairs(shadow)) == expected


def test_the_risk_is_shifted_to_the_prevalence_of_the_live_result(
    service, send, promote, start, supervisor, pairs, ledger
):
    promote(0)
    shadow = start()
    for prevalence in (0.05, 0.5):
        send()
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql(
                f"UPDATE hospitals SET prevalence = {prevalence}"
            )
        service.work()
    supervisor.work()
    rare, even = pairs(shadow)
    assert even.risk == pytest.approx(float(shift_prior(rare.risk, 0.05, 0.5)))
    assert rare.risk == pytest.approx(rare.live_risk, abs=1e-6)


def test_an_image_that_cannot_be_read_is_recorded_with_its_reason(
    service, send, promote, start, supervisor, pairs, objects, ledger
):
    promote(0)
    shadow = start()
    send(png(1))
    send(png(2))
    service.work()
    objects.delete(objects.put(png(1)).sha256)
    supervisor.work()
    assert sorted(pair.score is None for pair in pairs(shadow)) == [False, True]
    with ledger.engine.connect() as connection:
        reasons = connection.exec_driver_sql(
            "SELECT reason FROM shadow_results WHERE score IS NULL"
        ).all()
    assert reasons == [("object-missing",)]


def test_a_store_that_is_away_leaves_the_cases_for_later(
    service, send, promote, start, supervisor, pairs, monkeypatch
):
    promote(0)
    shadow = start()
    send(png(1))
    service.work()
    supervisor.work()
    send(png(2))
    service.work()

    def fail(*_, **__):
        raise Unavailable(service="The object store")

    with monkeypatch.context() as patched:
        patched.setattr(Preparation, "nodule", fail)
        supervisor.work()
        assert len(pairs(shadow)) == 1
    supervisor.work()
    assert [pair.score is None for pair in pairs(shadow)] == [False, False]


def test_a_share_samples_jobs_and_always_the_same_ones(
    service, send, promote, start, supervisor, pairs, ledger
):
    promote(0)
    samples = []
    for _ in range(2):
        shadow = start(share=0.5)
        if not samples:
            jobs = [send(png(seed % 3)) for seed in range(40)]
            service.work()
        else:
            with ledger.engine.begin() as connection:
                connection.exec_driver_sql(
                    "UPDATE shadows SET started_at = started_at - interval '1 hour'"
                )
        supervisor.work()
        samples.append(_jobs_of(ledger, shadow))
        with ledger.system_session("test") as session:
            session.shadows.stop(Message("shadow-stopped"))
    assert samples[0] == samples[1]
    assert 8 < len(samples[0]) < 32
    assert samples[0] < set(jobs)


def _jobs_of(ledger, shadow):
    with ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT job_id FROM shadow_results WHERE shadow_id = '{shadow.id}'"
        )
        return {row[0] for row in rows}


def test_two_shadow_processes_share_the_work_and_repeat_nothing(
    service, send, promote, start, settings, ledger, decoders, pairs
):
    promote(0)
    shadow = start()
    for seed in range(20):
        send(png(seed % 3))
    service.work()
    supervisors = [
        ShadowSupervisor(
            ledger,
            open_service=lambda shadow: open_shadow_service(
                settings, ledger, decoders, shadow
            ),
            restart_process=pytest.fail,
        )
        for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ShadowSupervisor.work, supervisors))
    for supervisor in supervisors:
        supervisor.work()
    assert len(pairs(shadow)) == 20


def test_a_result_that_another_process_has_just_read_stays_as_it_wrote_it(
    service, send, promote, start, ledger
):
    promote(0)
    shadow = start()
    send(png(0))
    send(png(1))
    service.work()
    with ledger.system_session("test") as session:
        first, second = session.shadows.claim(shadow, 10)
        earlier = [(first, ShadowResult(score=0.1, risk=0.1, decision="benign"))]
        assert session.shadows.record(shadow, earlier) == 1
    second_readings = [
        (live_result, ShadowResult(score=0.9, risk=0.9, decision="malignant"))
        for live_result in (first, second)
    ]
    with ledger.system_session("test") as session:
        assert session.shadows.record(shadow, second_readings) == 1
    with ledger.system_session("test") as session:
        assert [pair.score for pair in session.shadows.pairs(shadow)] == [0.1, 0.9]


def test_a_shadow_whose_bundle_fails_verification_ends_with_the_reason(
    promote, start, supervisor, objects, ledger, candidate
):
    promote(0)
    shadow = start()
    objects.delete(candidate)
    supervisor.work()
    with ledger.system_session("test") as session:
        assert session.shadows.current() is None
        latest = session.shadows.latest_of_model(candidate)
        events = [event.event for event in session.audit.page(limit=100)]
    assert latest.id == shadow.id
    assert latest.ended_at is not None
    assert latest.end_reason.code == "object-missing"
    assert events[-1] == Event.SHADOW_ENDED


def test_a_shadow_result_after_the_end_is_not_recorded(
    service, send, promote, start, ledger, pairs
):
    promote(0)
    shadow = start()
    send()
    service.work()
    with ledger.system_session("test") as session:
        live_results = session.shadows.claim(shadow, 5)
        assert session.shadows.count_waiting(shadow) == len(live_results) == 1
    with ledger.system_session("test") as session:
        session.shadows.stop(Message("shadow-stopped"))
    with ledger.system_session("test") as session:
        result = ShadowResult(score=0.5, risk=0.5, decision="benign")
        assert session.shadows.record(shadow, [(live_results[0], result)]) == 0
    assert pairs(shadow) == []


def test_the_last_outcome_of_a_case_counts(
    service, send, promote, start, supervisor, pairs, ledger
):
    promote(0)
    shadow = start()
    job = send()
    service.work()
    supervisor.work()
    with ledger.engine.begin() as connection:
        for malignant in ("true", "false"):
            connection.exec_driver_sql(
                "INSERT INTO outcomes (case_id, hospital_id, malignant, source, consent, actor) "
                f"SELECT case_id, hospital_id, {malignant}, 'histology', true, 'test' "
                f"FROM jobs WHERE id = '{job}'"
            )
    assert [pair.malignant for pair in pairs(shadow)] == [False]


def test_one_shadow_at_a_time_and_never_the_live_model(
    promote, start, ledger, candidate
):
    live = promote(0)
    with pytest.raises(AlreadyLive):
        start(live)
    with (
        pytest.raises(ShadowAbsent, match="was never in the shadow"),
        ledger.system_session("test") as session,
    ):
        session.shadows.latest_of_model(candidate)
    start()
    with pytest.raises(ShadowRunning, match=candidate[:12]):
        start()


def test_an_idle_shadow_process_loads_no_pytorch_and_stays_small():
    """Measured in a process of its own, up to the end of its wiring."""
    code = (
        "import os, sys, psutil\n"
        "from services.worker.shadow import __main__ as shadow\n"
        "from shared.settings import Settings\n"
        "settings = Settings(\n"
        "    database_url='postgresql://x@127.0.0.1:1/x', broker_url='redis://x'\n"
        ")\n"
        "shadow.bootstrap(settings)\n"
        "assert not {'torch', 'sklearn', 'scipy', 'cv2'} & set(sys.modules)\n"
        "print(psutil.Process().memory_info().rss // 2**20)\n"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert completed.returncode == 0, completed.stderr
    assert int(completed.stdout) < 130


def test_without_a_shadow_no_service_is_opened(ledger, settings):
    opened = []
    restarts = []
    supervisor = ShadowSupervisor(ledger, opened.append, lambda: restarts.append(True))
    supervisor.work()
    assert opened == []
    assert restarts == []


def test_after_the_end_of_a_shadow_the_process_restarts_once(
    service, send, promote, start, supervisor, restarts, ledger
):
    promote(0)
    start()
    send()
    service.work()
    supervisor.work()
    assert restarts == []
    with ledger.system_session("test") as session:
        session.shadows.stop(Message("shadow-stopped"))
    supervisor.work()
    supervisor.work()
    assert restarts == [True]
