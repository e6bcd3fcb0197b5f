import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import chain
from uuid import uuid4

import pytest
from PIL import Image
from pydicom import examples

from shared.cases.accept import Submission
from shared.domain.audit.events import Event
from shared.domain.roi_space import RoiSpace
from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE, parse_descriptors
from shared.phantoms import draw
from tests.support.builders import form, png

POLYGON = {"polygon": [[10, 10], [90, 20], [60, 100]]}


def test_a_case_is_durable_when_it_is_accepted(north, gateway):
    roi = {"box": [10, 12, 80, 70]}
    answer = north.post(
        "/v1/cases", **form(roi=json.dumps(roi), external_id="A-7", priority="urgent")
    )
    receipt = answer.json()
    assert (answer.status_code, receipt["state"]) == (202, "queued")
    assert (
        answer.headers["Location"]
        == f"/v1/jobs/{receipt['job_id']}"
        == receipt["links"]["job"]
    )
    case = north.get(receipt["links"]["case"]).json()
    assert (case["size_mm"], case["external_id"], case["roi"]) == (14.5, "A-7", roi)
    assert gateway.app.state.dependencies.objects.get(case["image"]["sha256"]) == png()
    job = north.get(receipt["links"]["job"]).json()
    assert (
        job
        | {
            "case_id": receipt["case_id"],
            "state": "queued",
            "position": 1,
            "attempts": 0,
            "result": None,
        }
        == job
    )


def test_dicom_is_accepted_like_any_image(north):
    data = examples.get_path("rgb_color").read_bytes()
    receipt = north.post("/v1/cases", **form(data)).json()
    case = north.get(receipt["links"]["case"]).json()
    assert (case["image"]["format"], case["device"]) == (
        "dicom",
        "G.E. Medical Systems LOGIQ 700",
    )


def test_a_picture_without_a_header_has_no_device(north):
    receipt = north.post("/v1/cases", **form()).json()
    assert north.get(receipt["links"]["case"]).json()["device"] is None


def test_a_frame_of_a_loop_is_stored_and_shown(north):
    loop = examples.get_path("ybr_color").read_bytes()
    with_frame, without_frame = (
        north.post("/v1/cases", **form(loop, frame=frame)).json()
        for frame in (30, None)
    )
    assert [
        north.get(receipt["links"]["case"]).json()["frame"]
        for receipt in (with_frame, without_frame)
    ] == [30, None]


@pytest.mark.parametrize("frame", [0, -3, 31])
def test_a_missing_frame_is_refused_before_the_case_is_accepted(north, frame):
    answer = north.post(
        "/v1/cases", **form(examples.get_path("ybr_color").read_bytes(), frame=frame)
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "frame-absent")
    assert "holds 30" in answer.json()["detail"]
    assert north.get("/v1/jobs").json()["jobs"] == []


def test_an_external_id_with_a_nul_character_or_too_long_is_refused_by_name(north):
    for wrong in ("a\0b", "x" * 201):
        answer = north.post("/v1/cases", **form(external_id=wrong))
        assert (answer.status_code, "external_id" in answer.json()["detail"]) == (
            422,
            True,
        )


def test_a_frame_must_be_a_number(north):
    assert (
        north.post("/v1/cases", **form(frame="first")).json()["code"]
        == "invalid-request"
    )


def test_another_frame_under_the_same_key_is_another_body(north):
    key = {"Idempotency-Key": "k"}
    loop = examples.get_path("ybr_color").read_bytes()
    first, repeat = (
        north.post("/v1/cases", **form(loop, frame=2), headers=key) for _ in range(2)
    )
    assert repeat.json() == first.json()
    assert (
        north.post("/v1/cases", **form(loop, frame=3), headers=key).status_code == 409
    )
    assert north.post("/v1/cases", **form(loop), headers=key).status_code == 409


def test_without_a_frame_the_fingerprint_equals_that_of_earlier_releases():
    """So that a repeat of a submission of before the change still gets its answer."""
    fields = ["a" * 64, 14.5, None, None, "routine"]
    old_fingerprint = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
    plain = Submission(image=BytesIO(), size_mm=14.5)
    assert (
        plain.fingerprint("a" * 64)
        == old_fingerprint
        != replace(plain, frame=1).fingerprint("a" * 64)
    )


def test_the_same_key_and_body_get_the_same_answer_and_another_body_409(north):
    key = {"Idempotency-Key": str(uuid4())}
    first, repeat = (north.post("/v1/cases", **form(), headers=key) for _ in range(2))
    assert repeat.json() == first.json()
    answer = north.post("/v1/cases", **form(size_mm=15), headers=key)
    assert (answer.status_code, answer.json()["code"]) == (
        409,
        "idempotency-key-reused",
    )
    assert len(north.get("/v1/jobs").json()["jobs"]) == 1


def test_simultaneous_requests_with_one_key_create_one_case(north):
    key = {"Idempotency-Key": "k"}
    body = form()
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: north.post("/v1/cases", **body, headers=key), range(12))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert len(north.get("/v1/jobs").json()["jobs"]) == 1


def test_idempotency_keys_of_two_hospitals_are_independent(as_role):
    key = {"Idempotency-Key": "k"}
    north = as_role(hospital="north")
    south = as_role(hospital="south")
    jobs = {
        client.post("/v1/cases", **form(size_mm=size), headers=key).json()["job_id"]
        for client, size in ((north, 1), (south, 2))
    }
    assert len(jobs) == 2


@pytest.mark.parametrize("size", ["nan", "inf", "-1", "0", "301", "twelve", "", None])
def test_an_invalid_size_is_refused_by_name(north, size):
    answer = north.post("/v1/cases", **form(size_mm=size))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "size_mm" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (b"", "image-empty"),
        (b"hello, I am text" * 20, "image-unsupported"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image-unreadable"),
    ],
)
def test_a_file_that_is_no_image_is_refused(north, image, code):
    answer = north.post("/v1/cases", **form(image))
    assert (400 <= answer.status_code < 500, answer.json()["code"]) == (True, code)


@pytest.mark.parametrize(
    ("roi", "code"),
    [
        ('{"box": [100, 100, 80, 80]}', "roi-outside-image"),
        ('{"box": [1, 2, 3]}', "roi-invalid"),
        ("a circle", "roi-invalid"),
        ('{"box": [1, 1, 3, 3]}', "roi-too-small"),
    ],
)
def test_an_invalid_roi_is_refused(north, roi, code):
    assert north.post("/v1/cases", **form(roi=roi)).json()["code"] == code


def turned_picture(kind: str = "PNG") -> bytes:
    """A picture of 200 x 120 stored pixels, which EXIF turns to 120 x 200."""
    turn = Image.Exif()
    turn[0x0112] = 6
    picture = Image.fromarray(draw(1, size_px=200).pixels[:120])
    stream = BytesIO()
    picture.save(stream, kind, exif=turn)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_roi_in_stored_pixels_is_kept_in_upright_pixels(north, kind):
    image = turned_picture(kind)
    roi = '{"box": [100, 10, 60, 40]}'
    stored = north.post("/v1/cases", **form(image, roi=roi, roi_space="stored")).json()
    case = north.get(stored["links"]["case"]).json()
    assert case["roi"] == {"box": [70, 100, 40, 60]}
    refused = north.post("/v1/cases", **form(image, roi=roi))
    assert refused.json()["code"] == "roi-outside-image"


def test_an_unknown_space_of_the_roi_is_refused(north):
    answer = north.post("/v1/cases", **form(roi_space="sideways"))
    assert answer.status_code == 422


def test_a_repeat_with_another_space_of_the_roi_is_another_submission():
    plain = Submission(image=BytesIO(), size_mm=14.5)
    stored = replace(plain, roi_space=RoiSpace.STORED)
    assert plain.fingerprint("a" * 64) != stored.fingerprint("a" * 64)


def test_a_webp_photo_is_stored_as_png(north, gateway):
    receipt = north.post("/v1/cases", **form(turned_picture("WEBP"))).json()
    image = north.get(receipt["links"]["case"]).json()["image"]
    assert (image["format"], image["width"], image["height"]) == ("png", 120, 200)
    stored = gateway.app.state.dependencies.objects.get(image["sha256"])
    assert stored.startswith(b"\x89PNG")


def test_descriptors_are_stored_and_assessed_by_the_guidelines(north, gateway):
    receipt = north.post(
        "/v1/cases", **form(descriptors=json.dumps(DESCRIPTORS_EXAMPLE))
    ).json()
    case = north.get(receipt["links"]["case"]).json()
    assert case["descriptors"] == {**DESCRIPTORS_EXAMPLE, "eccentric": False}
    assessment = case["reader_assessment"]
    assert (
        assessment["points"],
        assessment["level"],
        assessment["advice"][0]["threshold_mm"],
    ) == (
        7,
        "TR5",
        10,
    )
    assert assessment["advice"][0]["text"].startswith(
        "FNA recommended: 14.5 mm reaches"
    )
    with gateway.app.state.dependencies.ledger.system_session("test") as session:
        trail = json.dumps(
            [event.details for _, event in session.audit.links(None, 1000)], default=str
        )
    assert "hypoechoic" not in trail


def test_unknown_descriptors_are_refused_before_the_case_is_accepted(
    north,
):
    for change, code, sentence in (
        ({"margin": "round"}, "descriptor-unusable", "가능한 값: smooth, ill-defined"),
        ({"radiologist": "Kim"}, "descriptors-unreadable", "JSON"),
    ):
        body = form(descriptors=json.dumps({**DESCRIPTORS_EXAMPLE, **change}))
        answer = north.post("/v1/cases", **body, headers={"Accept-Language": "ko"})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert sentence in answer.json()["detail"]
        assert "Kim" not in answer.text
    assert north.get("/v1/jobs").json()["jobs"] == []


def test_other_descriptors_make_another_request_body_but_the_same_nodule(
    north,
):
    key = {"Idempotency-Key": "k"}
    descriptors = json.dumps(DESCRIPTORS_EXAMPLE)
    first, repeat = (
        north.post("/v1/cases", **form(descriptors=descriptors), headers=key)
        for _ in range(2)
    )
    assert repeat.json() == first.json()
    assert north.post("/v1/cases", **form(), headers=key).status_code == 409
    plain = north.get(north.post("/v1/cases", **form()).json()["links"]["case"]).json()
    assert plain["duplicate_of"] == first.json()["case_id"]
    assert (plain["descriptors"], plain["reader_assessment"]) == (None, None)


def test_the_fingerprint_depends_on_the_content_of_descriptors_and_not_on_their_order():
    plain = Submission(image=BytesIO(), size_mm=14.5)
    foci_lists = (["rim", "punctate"], ["punctate", "rim"], ["rim"])
    fingerprints = [
        replace(
            plain, descriptors=parse_descriptors({**DESCRIPTORS_EXAMPLE, "foci": foci})
        ).fingerprint("a" * 64)
        for foci in foci_lists
    ]
    assert fingerprints[0] == fingerprints[1]
    assert len({plain.fingerprint("a" * 64), *fingerprints}) == 3


def test_a_polygon_is_accepted(north):
    receipt = north.post("/v1/cases", **form(roi=json.dumps(POLYGON))).json()
    assert north.get(receipt["links"]["case"]).json()["roi"] == POLYGON


def test_a_body_over_the_limit_is_refused_with_and_without_a_length(north):
    image = png() + b"\0" * (2 << 20)
    assert north.post("/v1/cases", **form(image)).json()["code"] == "too-large"
    part = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    )
    chunks = chain([part], (b"x" * 65536 for _ in range(40)))
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = north.post("/v1/cases", content=chunks, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert north.post("/v1/cases", **form()).status_code == 202


def test_a_missing_or_wrong_key_gets_401_and_a_missing_permission_403(gateway, as_role):
    assert gateway.post("/v1/cases", **form()).status_code == 401
    wrong = gateway.post(
        "/v1/cases", **form(), headers={"Authorization": "Bearer sera_x_y"}
    )
    assert (wrong.status_code, wrong.json()["code"]) == (401, "unauthenticated")
    for role in (Role.READER, Role.OPERATOR, Role.AUDITOR):
        refused = as_role(role).post("/v1/cases", **form())
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_an_unauthenticated_request_is_refused_before_the_body_is_parsed(
    gateway, north
):
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (
        gateway.post(
            "/v1/cases", content=b"no form at all", headers=headers
        ).status_code
        == 401
    )
    assert north.post(
        "/v1/cases", content=b"no form at all", headers=headers
    ).status_code in (
        400,
        422,
    )


def test_another_hospitals_case_is_not_found(as_role):
    receipt = as_role(hospital="north").post("/v1/cases", **form()).json()
    south = as_role(hospital="south")
    for link in receipt["links"].values():
        assert south.get(link).status_code == 404


def test_an_explanation_before_the_result_is_refused_as_too_early(north):
    receipt = north.post("/v1/cases", **form()).json()
    answer = north.get(receipt["links"]["explanation"])
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (
        409,
        "no-result-yet",
        True,
    )


def test_events_of_a_case_are_in_the_trail_of_its_hospital_only(as_role):
    receipt = as_role().post("/v1/cases", **form()).json()
    trail = as_role(Role.HOSPITAL_ADMIN).get("/v1/audit").json()
    accepted = [event for event in trail if event["event"] == Event.CASE_ACCEPTED]
    assert [event["case_id"] for event in accepted] == [receipt["case_id"]]
    south_trail = as_role(Role.HOSPITAL_ADMIN, "south").get("/v1/audit").json()
    assert all(event["case_id"] is None for event in south_trail)


def test_the_same_content_is_another_case_that_names_the_first(north):
    roi = json.dumps({"box": [10, 12, 80, 70]})
    first, *repeats = (
        north.post("/v1/cases", **form(roi=roi, external_id=name)).json()
        for name in ("A", "B", "C")
    )
    assert first["duplicate_of"] is None
    for receipt in repeats:
        assert receipt["duplicate_of"] == first["case_id"] != receipt["case_id"]
        assert (
            north.get(receipt["links"]["case"]).json()["duplicate_of"]
            == first["case_id"]
        )


def test_another_image_or_size_or_roi_or_frame_is_no_duplicate(north):
    north.post("/v1/cases", **form(roi=json.dumps(POLYGON)))
    north.post("/v1/cases", **form())
    for fields in (
        {"size_mm": 15},
        {"roi": '{"box": [1, 2, 30, 30]}'},
        {"frame": 1},
        {"image": png(1)},
    ):
        assert (
            north.post("/v1/cases", **form(**fields)).json()["duplicate_of"] is None
        ), fields


def test_another_hospitals_case_of_the_same_content_is_not_named(as_role):
    for hospital in ("north", "south"):
        assert (
            as_role(hospital=hospital)
            .post("/v1/cases", **form())
            .json()["duplicate_of"]
            is None
        )


def test_a_repeat_is_no_duplicate_of_itself(north):
    key = {"Idempotency-Key": "k"}
    first, repeat = (
        north.post("/v1/cases", **form(), headers=key).json() for _ in range(2)
    )
    assert (repeat, repeat["duplicate_of"]) == (first, None)
