from datetime import timedelta
from uuid import uuid4

from shared.ledger.jobs.lease import Failure
from tests.support.builders import form

SIZES = {"width": 12, "height": 9, "min_side_px": 32}
KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.5"}


def test_problems_are_in_the_language_of_the_caller(north, gateway):
    missing_case = f"/v1/cases/{uuid4()}"
    korean = north.get(missing_case, headers=KOREAN)
    english = north.get(missing_case)
    assert korean.json()["detail"] == "해당 항목(case)이 없거나 열람 권한이 없습니다."
    assert (
        english.json()["detail"] == "There is no such case, or it is not yours to see."
    )
    headers = [
        (answer.headers["Content-Language"], answer.headers["Vary"])
        for answer in (korean, english)
    ]
    assert headers == [("ko", "Accept-Language"), ("en", "Accept-Language")]
    unauthenticated = gateway.get(missing_case, headers=KOREAN)
    assert (
        unauthenticated.status_code,
        unauthenticated.headers["Content-Language"],
    ) == (401, "ko")
    assert (
        gateway.get("/nowhere", headers=KOREAN)
        .json()["detail"]
        .startswith("이 주소에는 아무것도 없습니다")
    )


def test_an_invalid_request_names_its_fields_in_a_korean_sentence(north):
    answer = north.get("/v1/jobs?limit=0", headers=KOREAN)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(
        "요청을 사용할 수 없습니다. 다음 항목을 수정하여 다시 보내십시오: limit: "
    )
    assert answer.json()["errors"][0]["field"] == "limit"


def test_the_reason_of_a_failed_job_is_in_the_language_of_the_caller(north, ledger):
    link = north.post("/v1/cases", **form()).json()["links"]["job"]
    reason = "The image measures 12 x 9 pixels; at least 32 a side are needed. Send the original."
    with ledger.system_session("w") as session:
        lease = session.queue.claim("w", 1, timedelta(minutes=1), 5)
        session.queue.fail(
            lease.token, {lease.jobs[0].id: Failure("image-too-small", SIZES)}
        )
    korean = north.get(link, headers=KOREAN)
    english = north.get(link)
    assert korean.json()["message"] == (
        "영상의 크기가 12 x 9화소입니다. 한 변이 32화소 이상이어야 합니다. 원본을 보내십시오."
    )
    assert english.json()["message"] == reason
    assert english.json()["facts"] == korean.json()["facts"] == SIZES
    assert korean.headers["ETag"] != english.headers["ETag"]
    assert "Accept-Language" in korean.headers["Vary"]
