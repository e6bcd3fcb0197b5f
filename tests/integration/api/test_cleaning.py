"""De-identification of uploads, and how a repeated upload is recognised."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, PngImagePlugin
from pydicom.uid import RLELossless

from shared.domain.roles import Role
from shared.imaging import decode
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.idempotency.receipts import StoredResponse
from tests.support.builders import dicom_file, form, outlined_phantom, png

NAME = "Zzyzxqvist"


def png_with_name(seed: int) -> bytes:
    """A phantom whose PNG file contains a patient's name."""
    return with_name(png(seed))


def with_name(picture: bytes) -> bytes:
    """The PNG file with a patient's name in it."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", NAME)
    stream = BytesIO()
    Image.open(BytesIO(picture)).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def scan(seed: int = 1) -> bytes:
    pixels = decode(png(seed)).pixels
    return dicom_file(
        pixels,
        PatientName=NAME,
        PatientID="4711",
        Manufacturer="ACME",
        StudyInstanceUID="1.2.3.4",
    )


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def stored_bytes(settings):
    """Reads the bytes of all stored objects."""
    folder = Path(settings.home) / "objects"
    return lambda: b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file()
    )


def run_length_coded() -> bytes:
    """A DICOM file whose frame must be decoded for de-identification."""
    dataset = pydicom.dcmread(BytesIO(scan()))
    dataset.compress(RLELossless)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "image", [png_with_name(1), scan(), run_length_coded()], ids=["png", "dicom", "rle"]
)
def test_only_the_cleaned_image_of_a_case_is_stored(
    image, north, gateway, stored_bytes
):
    receipt = north.post("/v1/cases", **form(image)).json()
    case = north.get(receipt["links"]["case"]).json()
    assert NAME.encode() not in stored_bytes()
    stored = gateway.app.state.dependencies.objects.get(case["image"]["sha256"])
    assert (decode(stored).pixels == decode(image).pixels).all()


def test_removed_tags_are_recorded_by_name_and_count(as_role):
    receipt = as_role().post("/v1/cases", **form(scan())).json()
    removed = {"PatientName": 1, "PatientID": 1}
    assert as_role().get(receipt["links"]["case"]).json()["removed"] == removed
    trail = as_role(Role.HOSPITAL_ADMIN).get("/v1/audit").json()
    [accepted] = [event for event in trail if event["event"] == "case.accepted"]
    assert accepted["details"]["removed"] == removed
    assert NAME not in json.dumps(trail)


def test_the_same_upload_twice_is_one_case_and_one_object(north, stored_bytes):
    first, repeat = (
        north.post("/v1/cases", **form(scan()), headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert first.json() == repeat.json()
    size = len(stored_bytes())
    answer = north.post("/v1/cases", **form(scan()))
    assert (answer.status_code, len(stored_bytes())) == (202, size)


def test_a_repeat_of_an_upload_from_before_deidentification_gets_its_answer(
    north, ledger
):
    """Its receipt has the fingerprint of the original file."""
    receipt = north.post("/v1/cases", **form(png(2))).json()
    fingerprint = sha(
        json.dumps(
            [sha(png_with_name(1)), 14.5, None, None, "routine"], sort_keys=True
        ).encode()
    )
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as session:
        session.receipts.reserve("old", fingerprint)
        session.receipts.store(
            "old", StoredResponse(202, {}, json.dumps(receipt).encode())
        )
    answer = north.post(
        "/v1/cases", **form(png_with_name(1)), headers={"Idempotency-Key": "old"}
    )
    assert answer.json()["job_id"] == receipt["job_id"]


@pytest.mark.parametrize("missing_bytes", [2000, 15_000, 16_000])
def test_a_truncated_file_leaves_no_patient_data(missing_bytes, north, stored_bytes):
    assert north.post("/v1/cases", **form(scan()[:-missing_bytes])).status_code in (
        202,
        415,
        422,
    )
    assert NAME.encode() not in stored_bytes()


@pytest.fixture
def operator(as_role):
    client = as_role(Role.OPERATOR)
    client.post("/v1/datasets", json={"name": "set"})
    return client


def batch(operator, table: str, files: dict[str, bytes]):
    parts = [
        ("manifest", ("m.csv", table, "text/csv")),
        *(("files", file) for file in files.items()),
    ]
    return [
        row["outcome"]
        for row in operator.post("/v1/datasets/set/batches", files=parts).json()["rows"]
    ]


def test_a_repeated_import_is_recognised_by_its_files_or_their_hashes(
    operator, stored_bytes
):
    images = {"a.png": png_with_name(1), "b.dcm": scan(2), "c.png": png(3)}
    mask = with_name(outlined_phantom(4)[1])
    table = "image,malignant,mask\na.png,1,m.png\nb.dcm,0,\nc.png,1,\n"
    assert batch(operator, table, images | {"m.png": mask}) == ["added"] * 3
    assert NAME.encode() not in stored_bytes()
    assert batch(operator, table, images | {"m.png": mask}) == ["known"] * 3
    hashes = [sha(data) for data in images.values()]
    known_hashes = operator.post(
        "/v1/datasets/set/known", json=[*hashes, "a" * 64]
    ).json()["known"]
    assert sorted(known_hashes) == sorted(hashes)
    first, second, third = hashes
    table = f"image,malignant,mask\n{first},1,{sha(mask)}\n{second},0,\n{third},1,\n{'b' * 64},1,\n"
    assert batch(operator, table, {}) == ["known"] * 3 + ["refused"]


def test_an_image_is_corrected_and_removed_by_the_hash_of_the_uploaded_file(operator):
    answer = operator.post(
        "/v1/datasets/set/images",
        data={"malignant": "1"},
        files={"image": ("a.png", png_with_name(1))},
    )
    stored = answer.json()["image_sha256"]
    assert stored != sha(png_with_name(1))
    changed = operator.put(
        f"/v1/datasets/set/images/{sha(png_with_name(1))}", json={"malignant": False}
    ).json()
    assert (changed["image_sha256"], changed["malignant"]) == (stored, False)
    assert (
        operator.delete(f"/v1/datasets/set/images/{sha(png_with_name(1))}").json()[
            "image_sha256"
        ]
        == stored
    )


def test_an_image_from_before_deidentification_keeps_its_hash(operator, gateway):
    """A frozen version and its locked test set can still identify it."""
    gateway.app.state.dependencies.objects.put(png_with_name(1))
    with gateway.app.state.dependencies.ledger.system_session("test") as session:
        dataset = session.datasets.find("set").id
        session.datasets.add(
            dataset, [LabelledImage(sha(png_with_name(1)), True, "train")]
        )
    answer = operator.post(
        "/v1/datasets/set/images",
        data={"malignant": "1"},
        files={"image": ("a.png", png_with_name(1))},
    )
    assert answer.json() == {"image_sha256": sha(png_with_name(1)), "added": False}


def test_removed_metadata_of_an_import_is_audited(operator, ledger):
    operator.post(
        "/v1/datasets/set/images",
        data={"malignant": "1"},
        files={"image": ("a.png", png_with_name(1))},
    )
    with ledger.system_session("test") as session:
        [details] = [
            event.details
            for event in session.audit.page()
            if event.details.get("change") == "cleaned"
        ]
    assert (details["files"], details["removed"]) == (1, {"tEXt": 1})


def test_an_image_has_one_hash_as_a_case_and_as_a_training_image(as_role, operator):
    pixels = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    data = dicom_file(pixels, PatientName=NAME)
    case = (
        as_role()
        .get(as_role().post("/v1/cases", **form(data)).json()["links"]["case"])
        .json()
    )
    answer = operator.post(
        "/v1/datasets/set/images",
        data={"malignant": "1"},
        files={"image": ("a.dcm", data)},
    )
    assert answer.json()["image_sha256"] == case["image"]["sha256"]
