"""A result that was changed behind SERA's back reaches nobody."""

from datetime import timedelta

import pytest

from shared.domain.roles import Role
from tests.support.builders import form, result

TRUE_RISK = 0.12
FALSE_RISK = 0.01


@pytest.fixture
def altered(north, ledger):
    """The receipt of a case whose risk was changed from 0.12 to 0.01."""
    receipt = north.post("/v1/cases", **form()).json()
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        results = {lease.jobs[0].id: result(risk=TRUE_RISK)}
        session.queue.finish(lease.token, "d" * 64, results)
    assert north.get(receipt["links"]["job"]).json()["result"]["risk"] == TRUE_RISK
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql("SET LOCAL session_replication_role = replica")
        owner.exec_driver_sql(
            f"UPDATE results SET body = jsonb_set(body, '{{risk}}', '{FALSE_RISK}')"
        )
    return receipt


def test_the_job_has_failed_for_this_reason_and_has_no_result(altered, north):
    job = north.get(altered["links"]["job"]).json()
    assert (job["state"], job["reason"], job["result"]) == (
        "failed",
        "result-changed",
        None,
    )
    (listed,) = north.get("/v1/jobs").json()["jobs"]
    assert listed["reason"] == "result-changed"
    (entry,) = north.get("/v1/cases").json()["cases"]
    assert (entry["state"], entry["risk"]) == ("failed", None)


@pytest.mark.parametrize(
    ("language", "text"), [("en", "was changed after SERA"), ("ko", "변경되어")]
)
def test_the_page_says_so_and_shows_no_risk(altered, as_person, language, text):
    path = f"/cases/{altered['case_id']}"
    page = as_person(Role.SUBMITTER).get(path, params={"lang": language})
    assert page.status_code == 200
    assert text in page.text
    assert "1 %" not in page.text


def test_it_is_not_printed(altered, north):
    answer = north.get(f"{altered['links']['case']}/report.pdf")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing-to-print")


def test_the_verification_names_it(altered, as_role):
    body = as_role(Role.AUDITOR).get("/v1/audit/verify").json()
    assert (body["whole"], [fault["fault"] for fault in body["wrong"]]) == (
        False,
        ["result-changed"],
    )
