"""Previews of an image before it is submitted, and the image of a case."""

import json
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from shared.domain.roles import Role
from shared.imaging import decode
from shared.phantoms import draw
from tests.support.builders import Screen, dicom_file, encode, form, png
from tests.support.dicom_files import region
from tests.support.phone_photos import PhotoSettings, photograph


def request_preview(client, image: bytes, **fields: object):
    return client.post("/v1/previews", data=fields, files={"image": ("image", image)})


def preview_pixels(answer) -> np.ndarray:
    preview = answer.json()["preview"]
    assert preview["media_type"] == "image/png"
    return decode(b64decode(preview["base64"])).pixels


def calibrated(pixels: np.ndarray) -> bytes:
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1 = pixels.shape[1] - 1
    region.RegionLocationMaxY1 = pixels.shape[0] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    return dicom_file(
        pixels, SequenceOfUltrasoundRegions=[region], PatientName="Zzyzxqvist"
    )


def test_the_preview_of_a_plain_image_is_unchanged_and_nothing_is_stored(
    north, settings
):
    answer = request_preview(north, png(3))
    body = answer.json()
    assert (
        body["format"],
        body["width"],
        body["height"],
        body["frames"],
        body["frame"],
    ) == (
        "png",
        128,
        128,
        1,
        1,
    )
    assert (body["photo"], body["size_mm"], body["spacing_mm"]) == (None, None, None)
    assert (preview_pixels(answer) == decode(png(3)).pixels).all()
    assert not [
        path for path in (settings.home / "objects").rglob("*") if path.is_file()
    ]
    assert north.get("/v1/jobs").json()["jobs"] == []


def test_the_preview_of_a_turned_photo_is_upright_and_says_so(north):
    turn = Image.Exif()
    turn[0x0112] = 6
    stream = BytesIO()
    picture = Image.fromarray(draw(1, size_px=200).pixels[:120])
    picture.save(stream, "WEBP", exif=turn)
    answer = request_preview(north, stream.getvalue())
    body = answer.json()
    assert (body["format"], body["width"], body["height"]) == ("webp", 120, 200)
    assert "turned" in [warning["code"] for warning in body["warnings"]]
    assert preview_pixels(answer).shape == (200, 120)


def test_calipers_of_a_calibrated_image_give_the_size_and_the_roi(north):
    pixels = Screen().end(100, 150).end(200, 150).pixels
    body = request_preview(north, calibrated(pixels)).json()
    assert body["size_mm"] == pytest.approx(10, abs=0.2)
    assert (body["size_from"], body["roi_from"], body["spacing_mm"]) == (
        "calipers",
        "calipers",
        [0.1, 0.1],
    )
    assert sorted(body["calipers"])[0] == pytest.approx([100, 150], abs=1)
    assert "roi-from-calipers" in {warning["code"] for warning in body["warnings"]}


def test_a_photo_is_rectified_between_the_submitted_corners(north):
    picture = draw(6, size_px=300).pixels
    photo = photograph(picture, 6, PhotoSettings(glare=400))
    answer = request_preview(
        north,
        encode(photo.pixels),
        photo=True,
        corners=json.dumps(photo.corners.tolist()),
    )
    view = answer.json()["photo"]
    assert (
        view["found"],
        view["width"],
        view["height"],
        view["retake"],
    ) == (
        True,
        1600,
        1200,
        True,
    )
    assert "glare" in {advice["code"] for advice in view["advice"]}
    height, width = preview_pixels(answer).shape
    assert width / height == pytest.approx(1, rel=0.03)


def test_the_corners_of_a_photo_refer_to_the_upright_photo(north):
    photo = photograph(np.full((300, 400), 160, np.uint8), 2)
    stream = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(photo.pixels).copy()).save(
        stream, "JPEG", quality=95, exif=exif
    )
    view = request_preview(north, stream.getvalue(), photo=True).json()["photo"]
    assert (view["found"], view["width"], view["height"]) == (
        True,
        1600,
        1200,
    )
    assert np.abs(np.array(view["corners"]) - photo.corners).max() < 6


@pytest.mark.parametrize(
    ("image", "fields", "code"),
    [
        (b"", {}, "image-empty"),
        (b"GIF89a", {}, "image-unsupported"),
        (png(1)[:3000], {}, "image-unreadable"),
        (png(1), {"frame": 2}, "frame-absent"),
        (png(1), {"photo": True, "corners": "[1]"}, "corners-invalid"),
        (
            png(1),
            {"photo": True, "corners": "[[0,0],[999,0],[99,99],[0,99]]"},
            "corners-invalid",
        ),
    ],
)
def test_an_invalid_preview_is_refused_by_name(image, fields, code, north):
    assert request_preview(north, image, **fields).json()["code"] == code


def test_too_many_simultaneous_previews_get_a_retry_time(
    north, gateway, ledger, monkeypatch
):
    pool = gateway.app.state.dependencies.decoder_pool
    monkeypatch.setattr(pool, "wait_s", 0.01)
    with ledger.system_session("test") as session:
        hospital_id = session.hospitals.ensure("north")
    with pool.place(hospital_id):
        answer = request_preview(north, png(1))
    assert (
        answer.status_code,
        answer.json()["code"],
        answer.headers["Retry-After"],
    ) == (
        503,
        "decoders-busy",
        "2",
    )
    assert request_preview(north, png(1)).status_code == 200


def test_the_image_of_a_case_has_an_etag_and_its_read_is_audited(as_role):
    client = as_role()
    links = client.post("/v1/cases", **form(png(4))).json()["links"]
    answer = client.get(links["image"])
    assert (decode(answer.content).pixels == decode(png(4)).pixels).all()
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    unchanged = client.get(
        links["image"], headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    trail = as_role(Role.HOSPITAL_ADMIN).get("/v1/audit").json()
    assert [event["event"] for event in trail].count("image.read") == 1


def test_the_image_of_a_loop_has_its_frames_and_its_scale(north):
    loop = np.stack([draw(seed, size_px=128).pixels for seed in range(4)])
    area = region(left=10, top=20, right=109, bottom=119)
    data = dicom_file(loop, NumberOfFrames=4, SequenceOfUltrasoundRegions=[area])
    path = north.post("/v1/cases", **form(data, frame=2)).json()["links"]["image"]
    selected = north.get(path)
    assert selected.headers["X-Image-Frame"] == "2"
    assert selected.headers["X-Image-Frames"] == "4"
    assert selected.headers["X-Image-Calibration"] == "0.4 0.5 10 20 100 100"
    last = north.get(path, params={"frame": 4})
    assert last.headers["X-Image-Frame"] == "4"
    assert last.headers["ETag"] != selected.headers["ETag"]
    assert last.content != selected.content
    assert north.get(path, params={"frame": 5}).json()["code"] == "frame-absent"


def test_the_image_of_a_plain_file_has_no_scale(north):
    receipt = north.post("/v1/cases", **form(png(4))).json()
    answer = north.get(receipt["links"]["image"])
    assert answer.headers["X-Image-Frames"] == "1"
    assert "X-Image-Calibration" not in answer.headers


def test_the_image_of_an_erased_case_is_gone(as_role):
    receipt = as_role().post("/v1/cases", **form(png(5))).json()
    as_role(Role.HOSPITAL_ADMIN).delete(
        receipt["links"]["case"], params={"ground": "sent-by-mistake"}
    )
    assert as_role().get(receipt["links"]["image"]).status_code == 410


def test_a_photo_is_marked_and_is_a_different_request_than_the_file(north):
    key = {"Idempotency-Key": "one"}
    receipt = north.post(
        "/v1/cases", **form(png(6), source="photo"), headers=key
    ).json()
    assert north.get(receipt["links"]["case"]).json()["source"] == "photo"
    assert north.post("/v1/cases", **form(png(6)), headers=key).status_code == 409
    plain = north.post("/v1/cases", **form(png(7))).json()
    assert north.get(plain["links"]["case"]).json()["source"] == "file"
