"""What the whole stack writes down while a case goes through it tells nothing of the patient."""

from typing import Any

import httpx2
import numpy as np

from shared.phantoms import draw
from tests.e2e.stage import Hospital, Stage
from tests.support.builders import dicom_file, encode, form, png

TELLTALE = "telltale"
SIZE = 97.31
"""No second of a minute is 97.31, as the logs write moments."""


def test_no_service_writes_down_anything_of_a_patient(stage: Stage) -> None:
    east = stage.hospital("east")
    owners = {
        "PatientName": f"{TELLTALE}^Jane",
        "PatientID": f"{TELLTALE}-1954",
        "StudyDescription": TELLTALE,
    }
    image = dicom_file(draw(11, size_px=128).pixels, **owners)
    blank = encode(np.full((128, 128), 90))
    jobs = [read(east, item) for item in (image, blank)]
    assert {job["state"] for job in jobs} == {"done", "failed"}
    assert send(east, png(1)[:400]).status_code == 422
    logs = {
        path.name: path.read_text(errors="replace")
        for path in stage.stack.home.logs.iterdir()
    }
    assert all(
        f'"job": "{jobs[0]["job_id"]}"' in logs[name]
        for name in ("api.log", "worker.log")
    )
    assert [
        name
        for name, text in logs.items()
        if TELLTALE in text.lower() or str(SIZE) in text
    ] == []


def read(hospital: Hospital, image: bytes) -> dict[str, Any]:
    return hospital.job(send(hospital, image).json()["job_id"])


def send(hospital: Hospital, image: bytes) -> httpx2.Response:
    sent = form(image, size_mm=SIZE, external_id=f"{TELLTALE}-4711", batch=TELLTALE)
    sent["files"] = {"image": (f"{TELLTALE}.dcm", image, "application/dicom")}
    return hospital.http.post("/v1/cases", **sent)
