from dataclasses import replace
from typing import Any

import pytest

from cli.commands.submit import DescriptorsFileMissing, read_descriptors
from cli.work.submission import CaseFile, submit_and_wait
from shared.domain.roi_space import RoiSpace


class Gateway:
    """Keeps what it is sent, and is done with the case at the third time of asking."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}
        self.states = iter(["queued", "running", "done"])

    def post(self, path: str, **body: Any) -> dict[str, str]:
        self.sent = body
        return {"job_id": "7"}

    def get(self, path: str, **_: Any) -> dict[str, str]:
        assert path == "/v1/jobs/7"
        return {"state": next(self.states)}


def test_who_waits_hears_of_it_until_the_job_is_final() -> None:
    states: list[str] = []
    job = submit_and_wait(
        Gateway(), CaseFile("a.png", b"", 12), lambda job: states.append(job["state"])
    )
    assert (job["state"], states) == ("done", ["queued", "running"])


def test_a_case_is_sent_with_what_is_known_of_it() -> None:
    first = Gateway()
    submit_and_wait(
        first, CaseFile("a.png", b"bytes", 12.5, roi='{"box": [1, 2, 30, 40]}')
    )
    assert first.sent["data"] == {
        "size_mm": "12.5",
        "roi": '{"box": [1, 2, 30, 40]}',
        "priority": "routine",
    }
    second = Gateway()
    stored = CaseFile("a.png", b"bytes", 12.5, roi='{"box": [1, 2, 30, 40]}')
    submit_and_wait(second, replace(stored, roi_space=RoiSpace.STORED))
    assert second.sent["data"]["roi_space"] == "stored"
    assert first.sent["files"] == {"image": ("a.png", b"bytes", "image/png")}


def test_descriptors_are_sent_as_text_or_from_a_file(tmp_path) -> None:
    seen_file = tmp_path / "seen.json"
    seen_file.write_text(' {"margin": "smooth"}', encoding="utf-8")
    assert (
        read_descriptors('{"margin": "smooth"}')
        == read_descriptors(str(seen_file)).strip()
        == '{"margin": "smooth"}'
    )
    assert read_descriptors(None) is None
    with pytest.raises(DescriptorsFileMissing, match="no such file"):
        read_descriptors(str(tmp_path / "other.json"))
    gateway = Gateway()
    submit_and_wait(gateway, CaseFile("a.png", b"bytes", 12, descriptors="{}"))
    assert gateway.sent["data"]["descriptors"] == "{}"


def test_a_frame_is_sent_where_one_is_chosen() -> None:
    gateway = Gateway()
    submit_and_wait(gateway, CaseFile("loop.dcm", b"bytes", 12, frame=3))
    assert gateway.sent["data"]["frame"] == "3"
