"""Damaged uploads through gateway and decoder: a short run of `python -m trials.fuzz uploads`."""

import pytest

from services.worker.inference.preparation import Preparation
from shared.errors import SeraError
from shared.imaging import Framing
from shared.objects import open_store
from trials.fuzz.campaign import send_all
from trials.fuzz.tally import Tally
from trials.fuzz.upload import upload

SEED = 7
UPLOADS_SHORT = 40
UPLOADS_LONG = 120


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "default::pytest.PytestUnraisableExceptionWarning"
)  # garbage collection closes a temporary file
def test_each_upload_is_refused_with_a_reason_or_decoded_or_fails_by_name(
    north, settings, decoders, tmp_path, long
):
    uploads = UPLOADS_LONG if long else UPLOADS_SHORT
    tally = Tally(tmp_path / "kept")
    send_all(
        north,
        (upload(SEED, number) for number in range(uploads)),
        tally,
        parallel_uploads=1,
    )
    assert tally.faults == []
    assert tally.statuses.total() == uploads
    assert len(tally.jobs) > uploads / 8
    preparation = Preparation(open_store(settings.objects), decoders)
    outcomes = [decode_outcome(preparation, north, job) for job in tally.jobs]
    assert set(outcomes) <= {"done", "image-blank"}
    assert "done" in outcomes


def decode_outcome(preparation, client, job) -> str:
    """Return how a worker would end the job: done, or the code of an error."""
    case = client.get(
        f"/v1/cases/{client.get(f'/v1/jobs/{job}').json()['case_id']}"
    ).json()
    try:
        preparation.nodule(
            case["image"]["sha256"], case["roi"], case["frame"], Framing()
        )
    except SeraError as error:
        return error.code
    return "done"
