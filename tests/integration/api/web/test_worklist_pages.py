"""The worklist as the server renders it."""

import re
from datetime import timedelta

import pytest

from shared.domain.jobs import Reason
from shared.domain.roles import Role
from shared.domain.texts import JOBS
from shared.ledger.jobs.lease import Failure
from tests.support.builders import fna_advice, form, png, result

DIGEST = "d" * 64
LEASE = timedelta(minutes=1)
RESULT = result(risk=0.7, fna=fna_advice(recommended=True), warnings=())


@pytest.fixture
def two_cases(north, ledger):
    """A read case and a dead letter."""
    for seed in (1, 2):
        assert north.post("/v1/cases", **form(png(seed))).status_code == 202
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 2, LEASE, 5)
        read_id, failed_id = (job.id for job in lease.jobs)
        session.queue.finish(lease.token, DIGEST, {read_id: RESULT})
        session.queue.fail(lease.token, {failed_id: Failure(Reason.WORKER_LOST)})


def actions(page: str) -> set[str]:
    return set(re.findall(r'data-act="([a-z-]+)"', page))


def links(page: str) -> list[str]:
    urls = re.findall(r'href="(/[^"]*)"', page)
    return [url.replace("&amp;", "&") for url in urls]


@pytest.mark.usefixtures("two_cases")
def test_each_role_gets_its_actions_on_its_own_hospitals_cases(
    as_person,
):
    pages = {role: as_person(role).get("/worklist") for role in Role}
    assert {
        role: actions(pages[role].text)
        for role in Role
        if pages[role].status_code == 200
    } == {
        Role.READER: set(),
        Role.SUBMITTER: {"rerun", "rerun-all", "outcome"},
        Role.HOSPITAL_ADMIN: {"rerun", "rerun-all", "outcome", "erase"},
    }
    other_page = as_person(Role.SUBMITTER, "south").get("/worklist").text
    assert ("data-job" in other_page, Reason.WORKER_LOST in other_page) == (
        False,
        False,
    )


@pytest.mark.usefixtures("two_cases")
def test_the_reason_of_a_failure_is_in_the_language_of_the_page(as_person):
    page = (
        as_person(Role.READER)
        .get("/worklist?lang=ko", headers={"Accept-Language": "en"})
        .text
    )
    assert JOBS[Reason.WORKER_LOST][0] not in page
    assert page.count("워커가 중단되었습니다") == 2


@pytest.mark.usefixtures("two_cases")
def test_the_next_page_and_the_csv_file_keep_the_filters(as_person):
    reader = as_person(Role.READER)
    urls = links(
        reader.get("/worklist?limit=1&fna=&outcome=unknown&order=oldest&lang=en").text
    )
    next_page = next(url for url in urls if "cursor=" in url)
    assert next_page.startswith("/worklist?outcome=unknown&order=oldest&cursor=")
    assert "/v1/cases.csv?outcome=unknown&order=oldest" in urls
    assert "/worklist?outcome=unknown&order=oldest" in links(reader.get(next_page).text)
    refused = reader.get("/worklist?state=asleep")
    assert (refused.status_code, refused.text[:15]) == (422, "<!doctype html>")


@pytest.mark.usefixtures("two_cases")
def test_unchanged_rows_are_not_sent_again_and_shown_results_are_audited(
    as_person,
):
    reader = as_person(Role.READER)
    admin = as_person(Role.HOSPITAL_ADMIN)
    first = reader.get("/worklist/rows?q=")
    headers = {"If-None-Match": first.headers["ETag"]}
    unchanged = reader.get("/worklist/rows?q=", headers=headers)
    other = reader.get("/worklist/rows?state=done", headers=headers)
    statuses = [first.status_code, unchanged.status_code, other.status_code]
    assert statuses == [200, 304, 200]
    assert "<html" not in other.text
    events = admin.get("/v1/audit?limit=1000").json()
    assert sum(event["event"] == "result.read" for event in events) == 1
