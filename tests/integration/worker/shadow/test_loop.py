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
from shared.ledger.models.shadows import AlreadyLive, ShadowResult, ShadowAbsent, ShadowRunning
from shared.settings import Settings
from shared.statistics import shift_prior
from tests.support.builders import png

ROOT = Path(__file__).parents[4]


@pytest.fixture
def candidate(bundles, objects, ledger):
    """The second bundle, stored and not live."""
    digest, folder = list(bundles.items())[1]
    publish(folder, objects)
    with ledger.system_session("test") as house:
        house.models.store(digest, "candidate", "small", None, False, {})
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
def renewed():
    """Whether the process began anew."""
    return []


@pytest.fixture
def door(settings, ledger, decoders, renewed):
    return ShadowSupervisor(
        ledger,
        lambda shadow: open_shadow_service(settings, ledger, decoders, shadow),
        lambda: renewed.append(True),
    )


@pytest.fixture
def start(ledger, candidate):
    def started(digest=candidate, share=1.0):
        with ledger.system_session("operator") as house:
            return house.shadows.start(digest, "operator", share)

    return started


@pytest.fixture
def pairs(ledger):
    def told(shadow):
        with ledger.system_session("test") as house:
            return house.shadows.pairs(shadow)

    return told


def rows(ledger, table):
    with ledger.engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY id")
        ]


def test_a_shadow_reads_what_is_answered_from_its_start_and_touches_neither_results_nor_jobs(
    desk, send, find, promote, start, door, pairs, ledger
):
    live = promote(0)
    early = send(png(1))
    desk.work()
    shadow = start()
    jobs = [
        send(png(seed), roi={"box": [20, 20, 80, 80]} if seed % 2 else None)
        for seed in range(5)
    ]
    desk.work()
    before = rows(ledger, "results"), rows(ledger, "jobs")
    door.work()
    assert (rows(ledger, "results"), rows(ledger, "jobs")) == before
    said = pairs(shadow)
    assert len(said) == 5
    results = sorted(find(job).result.score for job in jobs)
    assert sorted(pair.live_score for pair in said) == results
    assert all(
        pair.score == pytest.approx(pair.live_score, abs=1e-6) for pair in said
    ), "the same model, twice"
    assert all(pair.risk == pytest.approx(pair.live_risk, abs=1e-6) for pair in said)
    assert {(pair.hospital, pair.live_digest, pair.malignant) for pair in said} == {
        ("north", live, None)
    }
    assert find(early).result


def test_nothing_is_read_twice_and_what_comes_later_is_read_later(
    desk, send, promote, start, door, pairs
):
    promote(0)
    shadow = start()
    for expected in (1, 2):
        send()
        desk.work()
        door.work()
        door.work()
        assert len(pairs(shadow)) == expected


def test_the_risk_is_shifted_to_the_prevalence_of_the_live_result(
    desk, send, promote, start, door, pairs, ledger
):
    promote(0)
    shadow = start()
    for prevalence in (0.05, 0.5):
        send()
        with ledger.engine.begin() as connection:
            connection.exec_driver_sql(
                f"UPDATE hospitals SET prevalence = {prevalence}"
            )
        desk.work()
    door.work()
    rare, even = pairs(shadow)
    assert even.risk == pytest.approx(float(shift_prior(rare.risk, 0.05, 0.5)))
    assert rare.risk == pytest.approx(rare.live_risk, abs=1e-6)


def test_an_image_that_cannot_be_read_is_kept_with_its_reason(
    desk, send, promote, start, door, pairs, objects, ledger
):
    promote(0)
    shadow = start()
    send(png(1))
    send(png(2))
    desk.work()
    objects.delete(objects.put(png(1)).sha256)
    door.work()
    assert sorted(pair.score is None for pair in pairs(shadow)) == [False, True]
    with ledger.engine.connect() as connection:
        reasons = connection.exec_driver_sql(
            "SELECT reason FROM shadow_results WHERE score IS NULL"
        ).all()
    assert reasons == [("object-missing",)]


def test_a_store_that_is_away_leaves_the_cases_for_later(
    desk, send, promote, start, door, pairs, monkeypatch
):
    promote(0)
    shadow = start()
    send(png(1))
    desk.work()
    door.work()
    send(png(2))
    desk.work()

    def away(*_):
        raise Unavailable(service="The object store")

    with monkeypatch.context() as patched:
        patched.setattr(Preparation, "nodule", away)
        door.work()
        assert len(pairs(shadow)) == 1
    door.work()
    assert [pair.score is None for pair in pairs(shadow)] == [False, False]


def test_a_share_samples_jobs_and_always_the_same_ones(
    desk, send, promote, start, door, pairs, ledger
):
    promote(0)
    drawn = []
    for _ in range(2):
        shadow = start(share=0.5)
        if not drawn:
            jobs = [send(png(seed % 3)) for seed in range(40)]
            desk.work()
        else:
            with ledger.engine.begin() as connection:
                connection.exec_driver_sql(
                    "UPDATE shadows SET started_at = started_at - interval '1 hour'"
                )
        door.work()
        drawn.append(_jobs_of(ledger, shadow))
        with ledger.system_session("test") as house:
            house.shadows.stop(Message("shadow-stopped"))
    assert drawn[0] == drawn[1]
    assert 8 < len(drawn[0]) < 32
    assert drawn[0] < set(jobs)


def _jobs_of(ledger, shadow):
    with ledger.engine.connect() as connection:
        found = connection.exec_driver_sql(
            f"SELECT job_id FROM shadow_results WHERE shadow_id = '{shadow.id}'"
        )
        return {row[0] for row in found}


def test_two_shadow_processes_share_the_work_and_repeat_nothing(
    desk, send, promote, start, settings, ledger, decoders, pairs
):
    promote(0)
    shadow = start()
    for seed in range(20):
        send(png(seed % 3))
    desk.work()
    doors = [
        ShadowSupervisor(
            ledger,
            lambda each: open_shadow_service(settings, ledger, decoders, each),
            pytest.fail,
        )
        for _ in range(2)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.work(), doors))
    for each in doors:
        each.work()
    assert len(pairs(shadow)) == 20


def test_a_result_that_another_process_has_just_read_stays_as_it_wrote_it(
    desk, send, promote, start, ledger
):
    promote(0)
    shadow = start()
    send(png(0))
    send(png(1))
    desk.work()
    with ledger.system_session("test") as session:
        first, second = session.shadows.claim(shadow, 10)
        earlier = [(first, ShadowResult(score=0.1, risk=0.1, decision="benign"))]
        assert session.shadows.record(shadow, earlier) == 1
    later = [
        (each, ShadowResult(score=0.9, risk=0.9, decision="malignant"))
        for each in (first, second)
    ]
    with ledger.system_session("test") as session:
        assert session.shadows.record(shadow, later) == 1
    with ledger.system_session("test") as session:
        assert [pair.score for pair in session.shadows.pairs(shadow)] == [0.1, 0.9]


def test_a_shadow_whose_bundle_cannot_be_proven_ends_and_says_why(
    promote, start, door, objects, ledger, candidate
):
    promote(0)
    shadow = start()
    objects.delete(candidate)
    door.work()
    with ledger.system_session("test") as house:
        assert house.shadows.current() is None
        ended = house.shadows.latest_of_model(candidate)
        events = [each.event for each in house.audit.page(limit=100)]
    assert (ended.id, ended.ended_at is None) == (shadow.id, False)
    assert ended.end_reason.code == "object-missing"
    assert events[-1] == Event.SHADOW_ENDED


def test_what_is_said_after_the_end_is_not_kept(
    desk, send, promote, start, ledger, pairs
):
    promote(0)
    shadow = start()
    send()
    desk.work()
    with ledger.system_session("test") as house:
        watched = house.shadows.claim(shadow, 5)
        assert house.shadows.count_waiting(shadow) == len(watched) == 1
    with ledger.system_session("test") as house:
        house.shadows.stop(Message("shadow-stopped"))
    with ledger.system_session("test") as house:
        assert house.shadows.record(shadow, [(watched[0], ShadowResult(0.5, 0.5, "benign"))]) == 0
    assert pairs(shadow) == []


def test_the_last_outcome_of_a_case_counts(
    desk, send, promote, start, door, pairs, ledger
):
    promote(0)
    shadow = start()
    job = send()
    desk.work()
    door.work()
    with ledger.engine.begin() as connection:
        for malignant in ("true", "false"):
            connection.exec_driver_sql(
                "INSERT INTO outcomes (case_id, hospital_id, malignant, source, consent, actor) "
                f"SELECT case_id, hospital_id, {malignant}, 'histology', true, 'test' FROM jobs WHERE id = '{job}'"
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
        ledger.system_session("test") as house,
    ):
        house.shadows.latest_of_model(candidate)
    start()
    with pytest.raises(ShadowRunning, match=candidate[:12]):
        start()


def test_an_idle_shadow_process_loads_no_pytorch_and_stays_small():
    """Measured in a process of its own, as far as its day begins."""
    code = (
        "import os, sys, psutil\n"
        "from services.worker.shadow import __main__ as shadow\n"
        "from shared.settings import Settings\n"
        "shadow.bootstrap(Settings(database_url='postgresql://x@127.0.0.1:1/x', broker_url='redis://x'))\n"
        "assert not {'torch', 'sklearn', 'scipy', 'cv2'} & set(sys.modules)\n"
        "print(psutil.Process().memory_info().rss // 2**20)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 130


def test_without_a_shadow_no_desk_is_opened(ledger, settings):
    door = ShadowSupervisor(
        ledger, lambda shadow: pytest.fail("nothing runs in the shadow"), pytest.fail
    )
    door.work()


def test_when_a_shadow_has_ended_the_process_begins_anew_once(
    desk, send, promote, start, door, renewed, ledger
):
    promote(0)
    start()
    send()
    desk.work()
    door.work()
    assert renewed == []
    with ledger.system_session("test") as house:
        house.shadows.stop(Message("shadow-stopped"))
    door.work()
    door.work()
    assert renewed == [True]
