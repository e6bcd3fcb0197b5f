"""Areas that a reader blackens before an image is stored, and previews of kept previews."""

import json

import numpy as np
import pytest

from shared.domain.roles import Role
from shared.imaging import decode
from shared.phantoms import draw
from tests.integration.api.test_preview_cases import submit
from tests.integration.api.test_preview_outlines import EXPIRE, stored_image
from tests.integration.api.test_previews import (
    calibrated,
    preview_pixels,
    request_preview,
)
from tests.support.builders import dicom_file, encode, form, png
from tests.support.phone_photos import photograph

COVERS = json.dumps([[10, 20, 60, 30]])


def is_covered(pixels: np.ndarray) -> bool:
    return not pixels[20:50, 10:70].any()


@pytest.fixture
def objects(gateway):
    return gateway.app.state.dependencies.objects


def preview_again(client, preview_id: str, **fields: object):
    return client.post("/v1/previews", data={"preview": preview_id, **fields})


def image_of_case(ledger, objects, case_id: str) -> bytes:
    with ledger.engine.connect() as connection:
        sha256 = connection.exec_driver_sql(
            "SELECT image_sha256 FROM cases WHERE id = %s", (case_id,)
        ).scalar_one()
    return objects.get(sha256)


def rows_of_previews(ledger) -> list[str]:
    with ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM previews")
        return [str(row.id) for row in rows]


@pytest.mark.parametrize("image", [png(3), calibrated(draw(1, size_px=128).pixels)])
def test_what_is_covered_is_covered_in_what_is_stored(north, ledger, objects, image):
    kept = request_preview(north, image, keep=True, covers=COVERS)
    assert is_covered(preview_pixels(kept))
    assert is_covered(decode(stored_image(ledger, objects, kept.json()["id"])).pixels)
    of_preview = submit(north, kept.json()["id"]).json()["case_id"]
    of_file = north.post("/v1/cases", **form(image, covers=COVERS)).json()["case_id"]
    for case_id in (of_preview, of_file):
        pixels = decode(image_of_case(ledger, objects, case_id)).pixels
        assert is_covered(pixels)
        assert pixels[60:].any()


def test_a_preview_that_is_not_kept_shows_what_would_be_covered(north, ledger):
    answer = request_preview(north, png(3), covers=COVERS)
    assert is_covered(preview_pixels(answer))
    assert rows_of_previews(ledger) == []


def test_areas_of_a_photo_are_covered_in_its_picture(north, ledger, objects):
    photo = photograph(draw(6, size_px=300).pixels, 6)
    corners = json.dumps(photo.corners.tolist())
    answer = request_preview(
        north,
        encode(photo.pixels),
        photo=True,
        corners=corners,
        keep=True,
        covers=COVERS,
    )
    assert is_covered(preview_pixels(answer))
    stored = stored_image(ledger, objects, answer.json()["id"])
    assert is_covered(decode(stored).pixels)


def test_a_covered_preview_takes_the_place_of_the_one_before(north, ledger, objects):
    first = request_preview(north, png(3), keep=True).json()["id"]
    second = preview_again(north, first, covers=COVERS, keep=True)
    assert second.status_code == 200, second.text
    assert is_covered(preview_pixels(second))
    assert rows_of_previews(ledger) == [second.json()["id"]]
    assert "area-covered" in [warning["code"] for warning in second.json()["warnings"]]
    assert submit(north, first).status_code == 404
    case_id = submit(north, second.json()["id"]).json()["case_id"]
    assert is_covered(decode(image_of_case(ledger, objects, case_id)).pixels)


def test_another_frame_of_a_kept_loop_is_seen_without_sending_the_loop(north, ledger):
    frames = np.stack([draw(seed, size_px=128).pixels for seed in range(4)])
    loop = dicom_file(frames, NumberOfFrames=4)
    first = request_preview(north, loop, keep=True).json()["id"]
    seen = preview_again(north, first, frame=2)
    assert (preview_pixels(seen) == decode(loop, frame=2).pixels).all()
    assert rows_of_previews(ledger) == [first]
    chosen = preview_again(north, first, frame=4, keep=True).json()
    assert (chosen["frame"], chosen["frames"]) == (4, 4)
    case_id = submit(north, chosen["id"]).json()["case_id"]
    assert north.get(f"/v1/cases/{case_id}").json()["frame"] == 4


def test_the_scale_of_a_preview_says_where_it_holds(north):
    image = calibrated(draw(1, size_px=200).pixels)
    scale = request_preview(north, image).json()["calibration"]
    assert scale["row_mm"] == pytest.approx(0.1)
    assert scale["box"][2:] == [200, 200]
    assert request_preview(north, png(3)).json()["calibration"] is None


@pytest.mark.parametrize(
    "covers", ["[]", "[[1,2,3]]", "[[0,0,9000,10]]", "[[-1,0,9,9]]"]
)
def test_areas_that_cannot_be_read_are_refused(north, covers):
    for answer in (
        request_preview(north, png(3), covers=covers, keep=True),
        north.post("/v1/cases", **form(png(3), covers=covers)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "covers-invalid")


def test_a_preview_of_another_hospital_or_one_that_is_erased_is_not_seen(
    north, as_role, ledger
):
    kept = request_preview(north, png(3), keep=True).json()["id"]
    assert preview_again(as_role(Role.SUBMITTER, "south"), kept).status_code == 404
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(EXPIRE)
    answer = preview_again(north, kept, covers=COVERS)
    assert answer.json()["code"] == "preview-not-kept"
