"""Objects of the store that are gone, cut short, changed or swapped: what routes and pages answer."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.ledger.cases.explanations import ExplanationMap
from tests.integration.api.test_explanation import FACTS
from tests.support.builders import form, png, result
from tests.support.damaged_objects import DAMAGES

MAP = FACTS | {"kind": "occlusion", "of": "ensemble"}


@pytest.fixture
def case(north, ledger, gateway) -> str:
    """The address of a case with a result and an explanation."""
    receipt = north.post("/v1/cases", **form(png(1))).json()
    objects = gateway.app.state.dependencies.objects
    address = f"/v1/cases/{receipt['case_id']}"
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: result()})
    assert north.get(f"{address}/explanation").status_code == 202
    overlay = objects.put(png(2)).sha256
    heat = ExplanationMap(objects.put(png(3)).sha256, MAP)
    with ledger.system_session("test") as session:
        request = session.explanation_queue.claim_next()
        session.explanation_queue.finish(request, overlay, None, [heat])
    return address


@pytest.fixture
def stored_files(case, settings) -> list[Path]:
    root = settings.home / "objects" / "objects"
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_every_route_names_the_damage_and_none_fails(north, case, stored_files, damage):
    for path in stored_files:
        damage(path)
    with capture_logs() as lines:
        answers = [
            north.get(f"{case}{image}")
            for image in ("/image.png", "/explanation.png", "/explanation/heat.png")
        ]
        report = north.get(f"{case}/report.pdf")
    outcomes = {(answer.status_code, answer.json()["code"]) for answer in answers}
    assert outcomes == {DAMAGES[damage]}
    assert {answer.json()["retryable"] for answer in answers} == {False}
    logged = [line for line in lines if line["event"] == "object.damaged"]
    assert {line["code"] for line in logged} == {DAMAGES[damage][1]}
    assert len(logged) == len(answers)
    assert (report.status_code, b"/Subtype /Image" in report.content) == (200, False)
    for readable in (case, f"{case}/explanation", f"{case}/similar"):
        assert north.get(readable).status_code == 200


@pytest.mark.parametrize("reason", ["object-missing", "object-corrupt"])
def test_a_map_that_a_damaged_image_prevents_is_no_fault_of_the_request(
    north, ledger, reason
):
    receipt = north.post("/v1/cases", **form(png(1))).json()
    address = f"/v1/cases/{receipt['case_id']}/explanation"
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.finish(lease.token, "d" * 64, {lease.jobs[0].id: result()})
    north.get(address)
    with ledger.system_session("test") as session:
        request = session.explanation_queue.claim_next()
        session.explanation_queue.finish(request, png_sha256=None, reason=reason)
    for failed_address in (address, f"{address}.png", f"{address}/heat.png"):
        answer = north.get(failed_address)
        assert (answer.status_code, answer.json()["code"]) == (
            409,
            "explanation-failed",
        )
        assert reason in json.dumps(answer.json())
