"""Kept previews and the outlines that are asked of them; a test stands in for the worker."""

import json
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.api.jobs.notifications import REREAD_S
from shared.domain.burnt_in_text import TextPolicy
from shared.domain.roles import Role
from shared.imaging import decode
from shared.ledger.previews.outline_queue import Outline
from shared.queueing.app import Tasks
from tests.integration.api.conftest import with_key
from tests.integration.api.test_flood import wait_until
from tests.integration.api.test_previews import calibrated, request_preview
from tests.support.app import create_app
from tests.support.builders import Screen, encode, form, png
from tests.support.phone_photos import photograph

TRIANGLE = [[10.0, 10.0], [60.0, 12.0], [30.0, 70.0]]
ROI = json.dumps({"box": [30, 30, 60, 60]})
DIGEST = "d" * 64
EXPIRE = "UPDATE previews SET expires_at = clock_timestamp() - interval '1 second'"


@pytest.fixture
def kept(north) -> dict:
    return request_preview(north, png(3), keep=True).json()


@pytest.fixture
def draw(ledger):
    """Answers the next request as a worker does."""

    def draw(*outlines, reason=None, source="network"):
        with ledger.system_session("worker") as session:
            request = session.outline_queue.claim_next()
            if reason:
                session.outline_queue.fail(request, reason)
            else:
                session.outline_queue.finish(
                    request, model_digest=DIGEST, source=source, outlines=outlines
                )
        return request

    return draw


def stored_image(ledger, objects, preview_id) -> bytes:
    with ledger.engine.connect() as connection:
        sha256 = connection.exec_driver_sql(
            "SELECT image_sha256 FROM previews WHERE id = %s", (preview_id,)
        ).scalar_one()
    return objects.get(sha256)


def test_only_a_preview_that_is_to_be_kept_has_an_id_and_a_link(north, ledger, kept):
    plain = request_preview(north, png(3)).json()
    assert (plain["id"], plain["expires_at"], plain["links"]) == (None, None, {})
    assert kept["links"] == {"outlines": f"/v1/previews/{kept['id']}/outlines"}
    left = datetime.fromisoformat(kept["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)
    with ledger.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM previews")
        assert count.scalar_one() == 1


def test_outlines_are_drawn_by_a_worker_and_found_by_the_same_request(
    north, kept, draw, gateway, monkeypatch
):
    notified = []
    notifier = gateway.app.state.dependencies.notifier
    monkeypatch.setattr(notifier, "notify", lambda task, _: notified.append(task))
    link = kept["links"]["outlines"]
    for _ in range(2):
        waiting = north.get(link)
        assert (waiting.status_code, waiting.content) == (202, b"")
        assert waiting.headers["Retry-After"] == "1"
    assert notified == [Tasks.OUTLINE]
    request = draw(Outline(TRIANGLE, 0.75), Outline(TRIANGLE[::-1], 0.625))
    assert (request.prompt, request.frame) == (None, None)
    assert north.get(link).json() == {
        "outlines": [
            {"polygon": TRIANGLE, "probability": 0.75},
            {"polygon": TRIANGLE[::-1], "probability": 0.625},
        ],
        "source": "network",
        "model": DIGEST,
    }


def test_a_box_has_an_answer_of_its_own(north, kept, draw):
    link = kept["links"]["outlines"]
    assert north.get(link).status_code == 202
    draw()
    assert north.get(link).json()["outlines"] == []
    assert north.get(link, params={"roi": ROI}).status_code == 202
    request = draw(Outline(TRIANGLE, None), source="reader")
    assert request.prompt == json.loads(ROI)
    answer = north.get(link, params={"roi": ROI}).json()
    assert answer["outlines"] == [{"polygon": TRIANGLE, "probability": None}]
    assert answer["source"] == "reader"
    wrong = north.get(link, params={"roi": "[1]"})
    assert wrong.json()["code"] == "roi-invalid"


def test_a_polygon_and_a_point_reach_the_worker_as_they_are(north, kept, draw):
    link = kept["links"]["outlines"]
    circle = [[60 + 50 * np.cos(a), 60 + 50 * np.sin(a)] for a in np.arange(0, 6, 0.01)]
    polygon = {"polygon": [[round(x, 2), round(y, 2)] for x, y in circle]}
    for prompt in (polygon, {"point": [60.0, 41.5]}):
        query = {"roi": json.dumps(prompt, separators=(",", ":"))}
        assert len(query["roi"]) > 5000 or "point" in prompt
        assert north.get(link, params=query).status_code == 202
        assert draw(Outline(TRIANGLE, 0.75)).prompt == prompt
        assert (
            north.get(link, params=query).json()["outlines"][0]["probability"] == 0.75
        )


@pytest.mark.parametrize("roi", ['{"point":[1]}', '{"point":[1,2],"box":[1,2,30,40]}'])
def test_what_is_no_point_is_refused(north, kept, roi):
    answer = north.get(kept["links"]["outlines"], params={"roi": roi})
    assert (answer.status_code, answer.json()["code"]) == (422, "roi-invalid")


def test_a_case_takes_no_point(north):
    answer = north.post("/v1/cases", **form(png(3), roi='{"point":[60,41]}'))
    assert (answer.status_code, answer.json()["code"]) == (422, "roi-invalid")


def test_a_request_that_waits_is_answered_when_the_outlines_are_drawn(
    north, kept, draw, ledger
):
    link = kept["links"]["outlines"]
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        answer = pool.submit(north.get, link, params={"wait": 20})
        wait_until(lambda: is_waiting(ledger))
        assert not answer.done()
        draw(Outline(TRIANGLE, 0.75))
        assert answer.result().json()["outlines"][0]["polygon"] == TRIANGLE
    assert time.monotonic() - began < REREAD_S


def test_a_request_waits_no_longer_than_it_says(north, kept):
    began = time.monotonic()
    answer = north.get(kept["links"]["outlines"], params={"wait": 0.3})
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
    assert 0.3 <= time.monotonic() - began < 10


def is_waiting(ledger) -> bool:
    with ledger.system_session("test") as session:
        return session.outline_queue.waiting().count == 1


@pytest.mark.parametrize("code", ["no-outline-network", "no-live-model"])
def test_a_model_that_cannot_outline_says_so(north, kept, draw, code):
    link = kept["links"]["outlines"]
    north.get(link)
    draw(reason=code)
    answer = north.get(link)
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_an_outline_that_failed_says_why(north, kept, draw):
    link = kept["links"]["outlines"]
    north.get(link)
    draw(reason="object-missing")
    answer = north.get(link).json()
    assert answer["code"] == "outline-failed"
    assert "object-missing" in answer["detail"]


def test_an_expired_preview_and_that_of_another_hospital_are_not_there(
    north, as_role, kept, ledger
):
    link = kept["links"]["outlines"]
    assert as_role(Role.SUBMITTER, "south").get(link).status_code == 404
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(EXPIRE)
    assert north.get(link).json()["code"] == "not-found"


def test_what_is_kept_is_de_identified(north, ledger, gateway):
    image = calibrated(Screen().pixels)
    assert b"Zzyzxqvist" in image
    kept = request_preview(north, image, keep=True).json()
    objects = gateway.app.state.dependencies.objects
    stored = stored_image(ledger, objects, kept["id"])
    assert b"Zzyzxqvist" not in stored
    assert (decode(stored).pixels == decode(image).pixels).all()


def test_text_is_painted_over_in_what_is_kept_where_the_hospital_wants_that(
    north, ledger, gateway
):
    screen = Screen()
    screen.pixels[:40] = 0
    for place, glyph in enumerate("KIM MINJI 1958"):
        screen.letter(20 + 14 * place, 26, glyph)
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
        session.hospitals.change(hospital, {"blank_text": TextPolicy.BLANK.value})
    kept = request_preview(north, encode(screen.pixels), keep=True).json()
    objects = gateway.app.state.dependencies.objects
    stored = decode(stored_image(ledger, objects, kept["id"])).pixels
    assert stored[:40].max() < 20
    shown = decode(b64decode(kept["preview"]["base64"])).pixels
    assert (shown == stored).all()


def test_of_a_photo_its_straightened_picture_is_kept(north, ledger, gateway):
    photo = photograph(decode(png(6)).pixels, 6)
    kept = request_preview(
        north,
        encode(photo.pixels),
        photo=True,
        corners=json.dumps(photo.corners.tolist()),
        keep=True,
    ).json()
    objects = gateway.app.state.dependencies.objects
    stored = decode(stored_image(ledger, objects, kept["id"])).pixels
    assert stored.shape == (kept["height"], kept["width"])


def test_a_hospital_keeps_a_limited_number_of_previews(
    settings, make_key, ledger, gateway
):
    limited = create_app(settings.model_copy(update={"max_kept_previews": 1}))
    gateway.app.state.dependencies = limited.state.dependencies
    north = with_key(gateway, make_key())
    assert request_preview(north, png(3), keep=True).status_code == 200
    refused = request_preview(north, png(4), keep=True)
    assert (refused.status_code, refused.json()["code"]) == (429, "previews-full")
    assert 1 <= int(refused.headers["Retry-After"]) <= 1800
    assert request_preview(north, png(4)).status_code == 200
    south = with_key(gateway, make_key(Role.SUBMITTER, "south"))
    assert request_preview(south, png(4), keep=True).status_code == 200


def test_only_so_many_outlines_of_a_hospital_wait(north, kept, draw):
    link = kept["links"]["outlines"]
    for place in range(10):
        roi = json.dumps({"box": [place, place, 60, 60]})
        assert north.get(link, params={"roi": roi}).status_code == 202
    refused = north.get(link)
    assert (refused.status_code, refused.json()["code"]) == (429, "outlines-full")
    draw(reason="no-live-model")
    assert north.get(link).status_code == 202
