import csv
import io
from datetime import timedelta

import pytest

from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Verdict
from shared.domain.roles import Role
from shared.ledger.jobs.lease import Failure
from tests.support.builders import fna_advice, form, png, result

DIGEST = "d" * 64
LEASE = timedelta(minutes=1)
UNREADABLE = {"format": "PNG", "problem": "cut short"}
SIZES = {"A-1": 5, "A-2": 12, "=B": 18, "C": 25}
RESULTS = {
    "A-1": result(
        risk=0.1,
        decision=Verdict.BENIGN,
        fna=fna_advice(recommended=False),
        warnings=(Finding("small", "The nodule is small."),),
    ),
    "A-2": result(risk=0.7, fna=fna_advice(recommended=True), warnings=()),
}

FILTERS = {
    "": ["C", "=B", "A-2", "A-1"],
    "order=oldest": ["A-1", "A-2", "=B", "C"],
    "order=risk": ["A-2", "A-1"],
    "state=failed": ["=B"],
    "state=failed&reason=worker-lost": [],
    "reason=image-unreadable": ["=B"],
    "decision=benign": ["A-1"],
    "fna=true": ["A-2"],
    "fna=false": ["A-1"],
    "outcome=known": ["A-2"],
    "outcome=unknown": ["C", "=B", "A-1"],
    "outcome=malignant": ["A-2"],
    "outcome=benign": [],
    "priority=urgent": ["C"],
    "batch=spring": ["A-2", "A-1"],
    "q=A-": ["A-2", "A-1"],
    "q=a-": [],
    "from=2020-01-01&to=9999-12-31": ["C", "=B", "A-2", "A-1"],
    "to=2020-01-01": [],
    "from=9999-12-31T00:00:00Z": [],
    "state=&decision=&q=+&from=&order=": ["C", "=B", "A-2", "A-1"],
}
"""Query strings with the external IDs of the matching cases."""


@pytest.fixture
def sent(north, ledger):
    """Four cases: two are read, one is a dead letter, one waits."""
    cases = {}
    for number, size in SIZES.items():
        batch = "spring" if number.startswith("A") else None
        urgent = "urgent" if number == "C" else "routine"
        request = form(
            png(size), size_mm=size, external_id=number, batch=batch, priority=urgent
        )
        cases[number] = north.post("/v1/cases", **request).json()
    numbers_by_job = {cases[number]["job_id"]: number for number in cases}
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 4, LEASE, 5)
        by_number = {numbers_by_job[str(job.id)]: job.id for job in lease.jobs}
        session.queue.finish(
            lease.token,
            DIGEST,
            {by_number[number]: body for number, body in RESULTS.items()},
        )
        session.queue.fail(
            lease.token,
            {by_number["=B"]: Failure("image-unreadable", UNREADABLE)},
        )
        session.queue.give_back(lease.token, [by_number["C"]], timedelta(hours=1))
    outcome = {"malignant": False, "source": "cytology"}
    path = f"/v1/cases/{cases['A-2']['case_id']}/outcome"
    assert north.post(path, json=outcome).status_code == 201
    assert (
        north.post(
            path, json=outcome | {"malignant": True, "source": "histology"}
        ).status_code
        == 201
    )
    return cases


def external_ids(answer) -> list[str]:
    return [case["external_id"] for case in answer.json()["cases"]]


@pytest.mark.usefixtures("sent")
def test_the_list_matches_its_filters(north):
    for filters, expected in FILTERS.items():
        answer = north.get(f"/v1/cases?{filters}")
        assert (filters, external_ids(answer)) == (filters, expected)
        assert (answer.json()["total"], answer.json()["more_than_total"]) == (
            len(expected),
            False,
        )


def test_a_row_contains_result_failure_and_outcome_of_its_case(north, sent):
    with_result, failed = (
        north.get("/v1/cases", params={"q": number}).json()["cases"][0]
        for number in ("A-2", "=B")
    )
    assert with_result["outcome"] == {
        "malignant": True,
        "source": "histology",
        "determined_on": None,
        "consent": False,
    }
    assert (
        with_result["risk"],
        with_result["decision"],
        with_result["fna"],
        with_result["batch"],
    ) == (
        0.7,
        "malignant",
        True,
        "spring",
    )
    assert (failed["reason"], failed["message"]) == (
        "image-unreadable",
        "The PNG image cannot be decoded (cut short). Export it again from its source and resend "
        "it.",
    )
    assert (
        failed["attempts"],
        failed["risk"],
        failed["outcome"],
        failed["warnings"],
    ) == (
        1,
        None,
        None,
        [],
    )
    assert (
        north.get(f"/v1/cases?q={sent['C']['case_id'][:8]}").json()["cases"][0][
            "external_id"
        ]
        == "C"
    )
    assert north.get(f"/v1/cases/{sent['A-1']['case_id']}").json()["batch"] == "spring"


@pytest.mark.usefixtures("sent")
def test_pages_have_neither_gaps_nor_duplicates(north):
    for order in ("newest", "oldest", "risk"):
        all_cases = external_ids(north.get(f"/v1/cases?order={order}"))
        paged = []
        cursor = ""
        while cursor is not None:
            page = north.get(
                "/v1/cases", params={"order": order, "limit": 1, "cursor": cursor}
            )
            paged = paged + external_ids(page)
            cursor = page.json()["next_cursor"]
        assert paged == all_cases


@pytest.mark.usefixtures("sent")
def test_an_invalid_cursor_and_one_of_another_order_are_refused(north):
    newest = north.get("/v1/cases?limit=1").json()["next_cursor"]
    queries = [f"order=risk&cursor={newest}", f"order=oldest&cursor={newest}"]
    queries += [
        f"cursor={cursor}"
        for cursor in ("x", "W10=", "bnVsbA==", "WyJuZXdlc3QiLCAxLCAyXQ==", "%00")
    ]
    assert {north.get(f"/v1/cases?{query}").json()["code"] for query in queries} == {
        "cursor-invalid"
    }


def test_the_csv_file_has_every_matching_case_and_no_formula(north, sent):
    answer = north.get("/v1/cases.csv?order=oldest")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbfcase_id,")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["external_id"] for row in rows] == ["A-1", "A-2", "'=B", "C"]
    assert (rows[0]["warnings"], rows[0]["risk"], rows[0]["fna"]) == (
        "small",
        "0.1",
        "false",
    )
    assert (rows[1]["malignant"], rows[1]["source"], rows[3]["malignant"]) == (
        "true",
        "histology",
        "",
    )
    assert rows[0]["created_at"].endswith("+00:00")
    assert [row["case_id"] for row in rows] == [
        case["case_id"] for case in sent.values()
    ]


@pytest.mark.usefixtures("sent")
def test_reads_and_exports_are_audited(as_role):
    reader = as_role(Role.READER)
    admin = as_role(Role.HOSPITAL_ADMIN)
    for _ in range(2):
        reader.get("/v1/cases")
    reader.get("/v1/cases.csv?state=done")
    events = admin.get("/v1/audit?limit=1000").json()
    assert sum(event["event"] == "result.read" for event in events) == 2
    assert [
        event["details"] for event in events if event["event"] == "cases.exported"
    ] == [{"rows": 2}]


def test_an_erased_case_and_its_batch_are_gone_from_every_list(as_role, north, sent):
    admin = as_role(Role.HOSPITAL_ADMIN)
    assert (
        admin.delete(
            f"/v1/cases/{sent['A-1']['case_id']}?ground=sent-by-mistake"
        ).status_code
        == 200
    )
    assert external_ids(north.get("/v1/cases?batch=spring")) == ["A-2"]
    assert sent["A-1"]["case_id"] not in north.get("/v1/cases.csv").text


def test_a_named_batch_makes_a_repeat_a_different_request(north):
    key = {"Idempotency-Key": "one"}
    first = north.post("/v1/cases", headers=key, **form()).json()
    assert north.post("/v1/cases", headers=key, **form()).json() == first
    assert (
        north.post("/v1/cases", headers=key, **form(batch="b")).json()["code"]
        == "idempotency-key-reused"
    )


def test_a_label_that_is_too_long_is_refused(north):
    assert north.post("/v1/cases", **form(batch="b" * 64)).status_code == 202
    assert north.post("/v1/cases", **form(batch="b" * 65)).status_code == 422


def test_a_referred_case_has_no_risk_and_no_advice_in_list_filter_and_csv(
    north, ledger
):
    assert north.post("/v1/cases", **form(png(7), external_id="R")).status_code == 202
    referred = result(
        risk=0.7, decision=Verdict.REFER, fna=fna_advice(recommended=True), warnings=()
    )
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, LEASE, 5)
        session.queue.finish(lease.token, DIGEST, {lease.jobs[0].id: referred})
    (row,) = north.get("/v1/cases").json()["cases"]
    assert (row["decision"], row["risk"], row["fna"]) == ("refer", None, None)
    assert row["statement"]["answered"] is False
    for filters in ("fna=true", "fna=false"):
        assert external_ids(north.get(f"/v1/cases?{filters}")) == []
    for filters in ("decision=refer", "order=risk"):
        assert external_ids(north.get(f"/v1/cases?{filters}")) == ["R"]
    text = north.get("/v1/cases.csv").content.decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["decision"] == "refer"
    assert (line["risk"], line["fna"], line["level"]) == ("", "", "")
