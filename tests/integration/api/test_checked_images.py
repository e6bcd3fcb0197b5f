"""The frame that will be read is decoded before a case is accepted."""

import os
import signal
from contextlib import ExitStack
from datetime import timedelta
from io import BytesIO

import cv2
import numpy as np
import pydicom
import pytest
from fastapi.testclient import TestClient
from pydicom.uid import JPEG2000Lossless

from shared.cases import decoder_pool
from shared.domain.roles import Role
from shared.imaging import decode
from shared.imaging.deidentify.text import find_text_lines
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.phantoms import draw
from tests.support import app
from tests.support.builders import dicom_file, encode, form, png

HALF_PNG = png(1)[: len(png(1)) // 2]


def jpeg(seed: int = 1) -> bytes:
    return cv2.imencode(".jpg", draw(seed, size_px=128).pixels)[1].tobytes()


def loop_with_broken_frame(broken: int) -> bytes:
    """Three frames in JPEG 2000, one of them cut short; it is counted from 1."""
    frames = np.stack([draw(seed, size_px=128).pixels for seed in range(3)])
    dataset = pydicom.dcmread(BytesIO(dicom_file(frames, NumberOfFrames=3)))
    dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    coded = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=3))
    coded[broken - 1] = coded[broken - 1][:200]
    dataset.PixelData = pydicom.encaps.encapsulate(coded)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def screen() -> np.ndarray:
    banner = np.zeros((40, 300), np.uint8)
    cv2.putText(banner, "DOE JANE", (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230)
    return np.vstack([banner, draw(3, size_px=300).pixels])


@pytest.fixture
def stored_objects(settings):
    def stored() -> list[bytes]:
        paths = (settings.home / "objects").rglob("*")
        return [path.read_bytes() for path in paths if path.is_file()]

    return stored


@pytest.fixture
def claim(ledger):
    def claimed():
        with ledger.system_session("test") as session:
            [job] = session.queue.claim("w", 1, timedelta(minutes=1), 3).jobs
        return job

    return claimed


@pytest.mark.parametrize("image", [HALF_PNG, jpeg()[:1500]])
def test_an_image_that_is_cut_short_is_refused_and_nothing_is_stored(
    image, north, stored_objects
):
    answer = north.post("/v1/cases", **form(image))
    assert (answer.status_code, answer.json()["code"]) == (422, "image-unreadable")
    assert stored_objects() == []
    assert north.get("/v1/jobs").json()["jobs"] == []


def test_only_the_frame_that_will_be_read_must_be_readable(north):
    data = loop_with_broken_frame(2)
    refused = north.post("/v1/cases", **form(data))
    assert (refused.status_code, refused.json()["code"]) == (422, "image-unreadable")
    assert north.post("/v1/cases", **form(data, frame=1)).status_code == 202


def test_an_unreadable_image_counts_against_the_rate(as_role):
    operator = as_role(Role.OPERATOR)
    north = as_role(Role.SUBMITTER)
    operator.patch("/v1/hospitals/north", json={"rate_per_minute": 10})
    codes = [
        north.post("/v1/cases", **form(HALF_PNG)).json()["code"] for _ in range(10)
    ]
    assert set(codes[:9]) == {"image-unreadable"}
    assert codes[9] == "rate-limited"


def test_a_refused_image_leaves_no_receipt(north):
    key = {"Idempotency-Key": "one"}
    assert north.post("/v1/cases", headers=key, **form(HALF_PNG)).status_code == 422
    assert north.post("/v1/cases", headers=key, **form(png(1))).status_code == 202


@pytest.fixture
def hung_gateway(settings, make_key, monkeypatch):
    """A gateway whose decoder processes hang, as with a file that breaks them."""
    sandbox = SandboxPool(Bounds(seconds=1), decoder_pool.PROCESS_COUNT)
    monkeypatch.setattr(app, "shared_sandbox", lambda _bounds: sandbox)
    headers = {"Authorization": f"Bearer {make_key()}"}
    with TestClient(app.create_app(settings), headers=headers) as client:
        assert client.post("/v1/cases", **form(png(1))).status_code == 202
        for pid in sandbox.pids:
            os.kill(pid, signal.SIGSTOP)
        yield client
    sandbox.close()


def test_an_image_that_breaks_its_decoder_is_refused(hung_gateway):
    answer = hung_gateway.post("/v1/cases", **form(png(2)))
    assert (answer.status_code, answer.json()["code"]) == (422, "image-broke-decoder")


@pytest.fixture
def busy(gateway, monkeypatch):
    """Takes the places of a hospital in the pool."""
    pool = gateway.app.state.dependencies.decoder_pool
    monkeypatch.setattr(pool, "wait_s", 0.01)
    with ExitStack() as held:

        def take_places(hospital_id):
            for _ in range(decoder_pool.MAX_HELD):
                held.enter_context(pool.place(hospital_id))

        yield take_places


def hospital_id(ledger, name="north"):
    with ledger.system_session("test") as session:
        return session.hospitals.ensure(name)


def test_a_full_pool_asks_to_come_again_and_other_hospitals_are_served(
    as_role, ledger, busy
):
    north = as_role(Role.SUBMITTER)
    south = as_role(Role.SUBMITTER, "south")
    busy(hospital_id(ledger))
    answer = north.post("/v1/cases", **form())
    assert (
        answer.status_code,
        answer.json()["code"],
        answer.json()["retryable"],
        answer.headers["Retry-After"],
    ) == (503, "decoders-busy", True, "2")
    assert south.post("/v1/cases", **form()).status_code == 202


def test_a_repeated_request_is_answered_while_the_pool_is_full(north, ledger, busy):
    key = {"Idempotency-Key": "one"}
    first = north.post("/v1/cases", headers=key, **form())
    busy(hospital_id(ledger))
    repeat = north.post("/v1/cases", headers=key, **form())
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert repeat.json() == first.json()


def test_an_image_is_decoded_once_for_its_hospital_and_again_for_another(
    as_role, gateway, monkeypatch
):
    decoded = []
    sandbox_check = SandboxPool.check

    def check(self, data, frame=None, *, find_text=False):
        decoded.append(data)
        return sandbox_check(self, data, frame, find_text=find_text)

    monkeypatch.setattr(SandboxPool, "check", check)
    north = as_role(Role.SUBMITTER)
    for size_mm in (10, 20):
        north.post("/v1/cases", **form(png(1), size_mm=size_mm))
    assert len(decoded) == 1
    as_role(Role.SUBMITTER, "south").post("/v1/cases", **form(png(1)))
    assert len(decoded) == 2


@pytest.fixture
def set_text_policy(as_role):
    def change(policy):
        answer = as_role(Role.HOSPITAL_ADMIN).patch(
            "/v1/hospital", json={"blank_text": policy}
        )
        assert answer.status_code == 200, answer.json()
        return answer.json()

    return change


@pytest.mark.parametrize("kind", ["png", "dicom"])
def test_text_is_painted_over_at_the_hospitals_wish(
    kind, as_role, set_text_policy, stored_objects, claim
):
    set_text_policy("blank")
    image = encode(screen()) if kind == "png" else dicom_file(screen())
    receipt = as_role().post("/v1/cases", **form(image)).json()
    [stored] = stored_objects()
    assert find_text_lines(decode(stored).pixels) == ()
    case = as_role().get(receipt["links"]["case"]).json()
    assert case["removed"]["burnt-in-text"] == 1
    job = claim()
    assert [finding["code"] for finding in job.findings] == ["text-blanked"]
    assert job.findings[0]["facts"] == {"lines": 1}
    assert job.blank_text == "blank"


@pytest.mark.parametrize("policy", ["off", "warn", None])
def test_without_that_wish_the_file_stays_as_it_is(
    policy, as_role, set_text_policy, stored_objects, claim
):
    set_text_policy(policy)
    as_role().post("/v1/cases", **form(encode(screen())))
    [stored] = stored_objects()
    assert (decode(stored).pixels == screen()).all()
    job = claim()
    assert (job.findings, job.blank_text) == ([], policy)


@pytest.mark.parametrize(
    ("policy", "code"),
    [("off", None), ("warn", "burnt-in-text"), ("blank", "text-blanked")],
)
def test_a_preview_goes_by_the_hospitals_wish(policy, code, as_role, set_text_policy):
    set_text_policy(policy)
    answer = as_role().post("/v1/previews", files={"image": encode(screen())})
    codes = {warning["code"] for warning in answer.json()["warnings"]}
    assert codes & {"burnt-in-text", "text-blanked"} == ({code} if code else set())


def test_the_setting_is_in_use_and_in_the_audit_trail(as_role, set_text_policy):
    view = set_text_policy("blank")
    assert (view["blank_text"], view["in_use"]["blank_text"]) == ("blank", "blank")
    assert set_text_policy(None)["in_use"]["blank_text"] == "warn"
    trail = as_role(Role.HOSPITAL_ADMIN).get("/v1/audit").json()
    changes = [
        event["details"] for event in trail if event["event"] == "hospital.changed"
    ]
    assert {
        "before": {"blank_text": None},
        "after": {"blank_text": "blank"},
    } in changes


def test_another_word_is_refused(as_role):
    answer = as_role(Role.HOSPITAL_ADMIN).patch(
        "/v1/hospital", json={"blank_text": "remove"}
    )
    assert answer.status_code == 422
