"""The worklist as the server renders it."""

import re
from datetime import timedelta

import pytest

from shared.domain.jobs import Reason
from shared.domain.roles import Role
from shared.domain.texts import JOBS
from shared.ledger.jobs.queue import Failure
from tests.support.builders import fna_advice, form, png, result

DIGEST = "d" * 64
LEASE = timedelta(minutes=1)
RESULT = result(risk=0.7, fna=fna_advice(recommended=True), warnings=())


@pytest.fixture
def sent(north, ledger):
    """A case that was read, and one that is a dead letter."""
    for seed in (1, 2):
        assert north.post("/v1/cases", **form(png(seed))).status_code == 202
    with ledger.system_session("w") as house:
        lease = house.queue.claim("w", 2, LEASE, 5)
        read, lost = (job.id for job in lease.jobs)
        house.queue.finish(lease.token, DIGEST, {read: RESULT})
        house.queue.fail(lease.token, {lost: Failure(Reason.WORKER_LOST)})


def acts(page: str) -> set[str]:
    return set(re.findall(r'data-act="([a-z-]+)"', page))


def links(page: str) -> list[str]:
    return [each.replace("&amp;", "&") for each in re.findall(r'href="(/[^"]*)"', page)]


@pytest.mark.usefixtures("sent")
def test_everybody_is_offered_what_they_may_do_with_their_own_hospital_s_cases(
    as_person,
):
    pages = {role: as_person(role).get("/worklist") for role in Role}
    assert {
        role: acts(pages[role].text) for role in Role if pages[role].status_code == 200
    } == {
        Role.READER: set(),
        Role.SUBMITTER: {"rerun", "rerun-all", "outcome"},
        Role.HOSPITAL_ADMIN: {"rerun", "rerun-all", "outcome", "erase"},
    }
    elsewhere = as_person(Role.SUBMITTER, "south").get("/worklist").text
    assert ("data-job" in elsewhere, Reason.WORKER_LOST in elsewhere) == (False, False)


@pytest.mark.usefixtures("sent")
def test_why_a_case_failed_is_said_in_the_language_of_the_page(as_person):
    page = (
        as_person(Role.READER)
        .get("/worklist?lang=ko", headers={"Accept-Language": "en"})
        .text
    )
    assert JOBS[Reason.WORKER_LOST][0] not in page
    assert page.count("워커가 중단되었습니다") == 2


@pytest.mark.usefixtures("sent")
def test_the_next_page_and_the_file_keep_what_was_asked_for(as_person):
    reader = as_person(Role.READER)
    found = links(
        reader.get("/worklist?limit=1&fna=&outcome=unknown&order=oldest&lang=en").text
    )
    following = next(each for each in found if "cursor=" in each)
    assert following.startswith("/worklist?outcome=unknown&order=oldest&cursor=")
    assert "/v1/cases.csv?outcome=unknown&order=oldest" in found
    assert "/worklist?outcome=unknown&order=oldest" in links(reader.get(following).text)
    refused = reader.get("/worklist?state=asleep")
    assert (refused.status_code, refused.text[:15]) == (422, "<!doctype html>")


@pytest.mark.usefixtures("sent")
def test_the_part_that_changes_comes_again_when_it_has_changed_and_what_it_shows_is_on_record(
    as_person,
):
    reader = as_person(Role.READER)
    admin = as_person(Role.HOSPITAL_ADMIN)
    first = reader.get("/worklist/rows?q=")
    known = {"If-None-Match": first.headers["ETag"]}
    again, other = (
        reader.get(f"/worklist/rows?{asked}", headers=known)
        for asked in ("q=", "state=done")
    )
    assert [each.status_code for each in (first, again, other)] == [200, 304, 200]
    assert "<html" not in other.text
    events = admin.get("/v1/audit?limit=1000").json()
    assert sum(each["event"] == "result.read" for each in events) == 1
