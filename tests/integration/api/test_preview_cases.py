"""Cases whose image is that of a kept preview."""

import hashlib
import json
from typing import Any
from uuid import uuid4

import pytest
from pydicom import examples

from services.worker.retention import RetentionSweeper
from shared.domain.burnt_in_text import TextPolicy
from shared.domain.roles import Role
from shared.imaging import decode
from shared.phantoms import draw
from tests.integration.api.test_erasure import erase
from tests.integration.api.test_preview_outlines import EXPIRE
from tests.integration.api.test_previews import (
    calibrated,
    preview_pixels,
    request_preview,
)
from tests.support.builders import encode, form, png
from tests.support.phone_photos import photograph

OF_EACH_CASE = ("id", "created_at", "duplicate_of")
ROI = json.dumps({"box": [10, 12, 80, 70]})


def submit(client, preview_id: str, headers: dict[str, str] | None = None, **fields):
    data = {"preview": preview_id, "size_mm": "14.5", **fields}
    return client.post("/v1/cases", data=data, headers=headers)


@pytest.fixture
def kept(north) -> str:
    return request_preview(north, png(3), keep=True).json()["id"]


@pytest.fixture
def stored_case(ledger, as_role):
    """Returns what a case's row and its audit event say, without what differs between any two."""

    def stored_case(case_id: str) -> dict[str, Any]:
        with ledger.engine.connect() as connection:
            case = connection.exec_driver_sql(
                "SELECT to_jsonb(c) FROM cases c WHERE id = %s", (case_id,)
            ).scalar_one()
        for column in OF_EACH_CASE:
            del case[column]
        (event,) = (
            event
            for event in as_role(Role.HOSPITAL_ADMIN).get("/v1/audit").json()
            if event["case_id"] == case_id
        )
        audited = {name: event[name] for name in ("event", "actor", "details")}
        return case | audited

    return stored_case


def loop() -> bytes:
    return examples.get_path("rgb_color").read_bytes()


@pytest.mark.parametrize(
    ("image", "previewed", "submitted"),
    [
        (png(3), {}, {"roi": ROI, "external_id": "A-7", "priority": "urgent"}),
        (calibrated(draw(1, size_px=200).pixels), {"frame": 1}, {}),
        (loop(), {}, {"batch": "monday"}),
    ],
)
def test_a_case_of_a_preview_is_stored_like_one_of_the_file(
    north, stored_case, image, previewed, submitted
):
    kept = request_preview(north, image, keep=True, **previewed).json()["id"]
    of_preview = submit(north, kept, **submitted)
    assert of_preview.status_code == 202, of_preview.text
    of_file = north.post("/v1/cases", **form(image, **previewed, **submitted)).json()
    of_preview = of_preview.json()
    assert of_file["duplicate_of"] == of_preview["case_id"]
    assert stored_case(of_preview["case_id"]) == stored_case(of_file["case_id"])


def test_a_case_of_a_photo_s_preview_is_stored_like_one_of_its_picture(
    north, stored_case
):
    photo = photograph(decode(png(6)).pixels, 6)
    corners = json.dumps(photo.corners.tolist())
    answer = request_preview(
        north, encode(photo.pixels), photo=True, corners=corners, keep=True
    )
    of_preview = submit(north, answer.json()["id"]).json()
    picture = encode(preview_pixels(answer))
    of_file = north.post("/v1/cases", **form(picture, source="photo")).json()
    assert stored_case(of_preview["case_id"]) == stored_case(of_file["case_id"])


def test_a_repeat_gets_the_first_answer_when_the_preview_has_expired(
    north, kept, ledger
):
    key = {"Idempotency-Key": str(uuid4())}
    first = submit(north, kept, key)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(EXPIRE)
    assert submit(north, kept, key).json() == first.json()
    assert submit(north, kept, key, size_mm="15").status_code == 409


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_preview_that_is_not_kept_is_said_plainly(north, kept, ledger, language):
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(EXPIRE)
    for preview_id in (kept, str(uuid4())):
        answer = submit(north, preview_id, {"Accept-Language": language})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (404, "preview-not-kept")
        assert ("미리보기" if language == "ko" else "preview") in problem["detail"]
    assert north.get("/v1/jobs").json()["jobs"] == []


def test_another_hospital_s_preview_is_not_there(as_role, kept):
    answer = submit(as_role(Role.SUBMITTER, "south"), kept)
    assert (answer.status_code, answer.json()["code"]) == (404, "preview-not-kept")


def test_a_preview_with_text_is_not_taken_when_the_hospital_has_it_painted_over(
    north, kept, ledger
):
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
        session.hospitals.change(hospital, {"blank_text": TextPolicy.BLANK.value})
    assert submit(north, kept).json()["code"] == "preview-not-kept"
    again = request_preview(north, png(3), keep=True).json()["id"]
    assert submit(north, again).status_code == 202


def test_a_preview_whose_image_was_released_is_taken_while_the_image_is_there(
    north, kept, ledger, gateway
):
    with ledger.engine.begin() as connection:
        sha256 = connection.exec_driver_sql(
            "INSERT INTO orphans (sha256) SELECT image_sha256 FROM previews"
            " RETURNING sha256"
        ).scalar_one()
    assert submit(north, kept).status_code == 202
    gateway.app.state.dependencies.objects.delete(sha256)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO orphans (sha256) SELECT image_sha256 FROM previews"
        )
    assert submit(north, kept).json()["code"] == "preview-not-kept"


def test_the_previews_of_an_erased_case_s_image_go_with_the_case(
    north, as_role, kept, ledger, gateway
):
    link = f"/v1/previews/{kept}/outlines"
    assert north.get(link).status_code == 202
    south = as_role(Role.SUBMITTER, "south")
    of_south = request_preview(south, png(3), keep=True).json()["links"]["outlines"]
    other = request_preview(north, png(4), keep=True).json()["links"]["outlines"]
    receipt = submit(north, kept).json()
    assert erase(as_role(Role.HOSPITAL_ADMIN), receipt).status_code == 200
    assert north.get(link).status_code == 404
    assert north.get(other).status_code == south.get(of_south).status_code == 202
    objects = gateway.app.state.dependencies.objects
    sweeper = RetentionSweeper(ledger, objects, default_days=None)
    sweeper.sweep()
    sha256 = hashlib.sha256(png(3)).hexdigest()
    assert objects.exists(sha256)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(EXPIRE)
    sweeper.sweep()
    assert not objects.exists(sha256)


@pytest.mark.parametrize(
    "own_field", [{"frame": "1"}, {"source": "photo"}, {"roi_space": "stored"}]
)
def test_a_field_of_the_preview_is_not_sent_again(north, kept, own_field):
    answer = submit(north, kept, **own_field)
    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "preview-fields-unusable",
    )
    assert f"`{next(iter(own_field))}`" in answer.json()["detail"]


def test_an_image_beside_a_preview_and_neither_of_them_are_refused(north, kept):
    both = north.post("/v1/cases", **form(preview=kept))
    assert both.json()["code"] == "preview-fields-unusable"
    neither = north.post("/v1/cases", data={"size_mm": "14.5"})
    assert neither.status_code == 422
    assert "image" in neither.text


def test_an_roi_outside_the_preview_is_refused(north, kept):
    outside = json.dumps({"box": [100, 100, 80, 70]})
    answer = submit(north, kept, roi=outside)
    assert (answer.status_code, answer.json()["code"]) == (422, "roi-outside-image")


def test_a_case_of_a_preview_counts_against_the_rate(north, kept, ledger):
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
        session.hospitals.change(hospital, {"rate_per_minute": 2})
    answers = [submit(north, kept).status_code for _ in range(4)]
    assert answers[0] == 202
    assert answers[-1] == 429
