"""Two people edit the same thing, at the very same time: one word counts, the other is told what
came between."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.roles import Role
from shared.domain.training.states import Split
from shared.ledger.datasets.repository import LabelledImage

A = "a" * 64
B = "b" * 64
C = "c" * 64
WHY = "it finds what the other misses"
SET = "/v1/datasets/set"
ROW = f"/v1/datasets/set/images/{A}"


@pytest.fixture
def operator(as_role, ledger):
    """There are a data set of two images, and three models of which A is live."""
    as_role()
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("set")
        session.datasets.add(
            dataset, [LabelledImage(image, image == A, Split.TRAIN) for image in (A, B)]
        )
        for digest in (A, B, C):
            session.models.store(digest, "light", "light", None, False, {})
        session.models.promote(A, "test", None)
    return as_role(Role.OPERATOR)


def tag(client, address):
    return client.get(address).headers["ETag"]


EDITS = {
    "settings": (
        "/v1/hospital",
        "PATCH",
        "/v1/hospital",
        [{"prevalence": 0.2}, {"prevalence": 0.3}],
    ),
    "of any hospital": (
        None,
        "PATCH",
        "/v1/hospitals/north",
        [{"weight": 2}, {"rate_per_minute": 9}],
    ),
    "a label": (SET, "PUT", ROW, [{"malignant": False}, {"site": "south"}]),
    "parts": (
        SET,
        "POST",
        f"{SET}/split",
        [{"by": "patient", "seed": seed, "test_share": 0.9} for seed in (1, 2)],
    ),
    "a promotion": (
        "/v1/models",
        "POST",
        "/v1/models/{}/promote",
        [{"reason": WHY}, {"reason": WHY}],
    ),
}


@pytest.mark.parametrize("resource", EDITS)
def test_of_two_editors_at_once_one_changes_it_and_the_other_is_told(
    as_role, operator, resource
):
    etag, method, address, bodies = EDITS[resource]
    client = as_role(Role.HOSPITAL_ADMIN) if address == "/v1/hospital" else operator
    told = (
        tag(client, etag)
        if etag
        else f'"{operator.get("/v1/hospitals").json()[0]["tag"]}"'
    )
    start = threading.Barrier(2)

    def edit(place):
        headers = {"If-Match": told, "Idempotency-Key": str(place)}
        start.wait()
        return client.request(
            method, address.format((B, C)[place]), json=bodies[place], headers=headers
        )

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(
            pool.map(edit, range(2)), key=lambda answer: answer.status_code
        )
    assert [answer.status_code for answer in answers] == [200, 412], [
        answer.text for answer in answers
    ]
    assert answers[1].json()["code"] == "changed-meanwhile"
    assert "Read it again" in answers[1].json()["detail"]


def test_many_who_change_one_hospital_at_once_wait_in_no_circle(as_role):
    """Each holds its hospital's row from its receipt on; the change must not ask for more than the
    others leave it."""
    admin = as_role(Role.HOSPITAL_ADMIN)
    start = threading.Barrier(8)

    def change(number):
        start.wait()
        return admin.patch(
            "/v1/hospital",
            json={"prevalence": number / 10},
            headers={"Idempotency-Key": str(number)},
        )

    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(change, range(1, 9))} == {200}


def test_who_changes_settings_is_told_which_were_changed(as_role):
    first = as_role(Role.HOSPITAL_ADMIN)
    second = as_role(Role.HOSPITAL_ADMIN)
    read = tag(second, "/v1/hospital")
    changed = first.patch(
        "/v1/hospital",
        json={"prevalence": 0.2, "refer_alpha": 0.1},
        headers={"If-Match": read},
    )
    refused = second.patch(
        "/v1/hospital", json={"prevalence": 0.3}, headers={"If-Match": read}
    )
    assert (
        "north was changed since: prevalence, refer_alpha." in refused.json()["detail"]
    )
    assert (
        changed.headers["ETag"]
        == tag(second, "/v1/hospital")
        == f'"{changed.json()["tag"]}"'
        != read
    )
    answer = second.patch(
        "/v1/hospital",
        json={"prevalence": 0.3},
        headers={"If-Match": changed.headers["ETag"]},
    )
    assert (answer.status_code, answer.json()["refer_alpha"]) == (200, 0.1)


def test_who_edits_a_draft_is_told_how_often_it_was_changed_and_by_whom_last(operator):
    read = tag(operator, SET)
    for body in ({"site": "south"}, {"malignant": False}, {"malignant": False}):
        assert operator.put(ROW, json=body).status_code == 200
    for method, address, body in (
        ("PUT", ROW, {"site": "west"}),
        ("DELETE", ROW, None),
        ("POST", f"{SET}/versions", None),
    ):
        refused = operator.request(
            method, address, json=body, headers={"If-Match": read}
        )
        assert refused.status_code == 412
        assert (
            "The draft of set was changed 2 times since, last by key:"
            in refused.json()["detail"]
        )
        assert "(corrected)" in refused.json()["detail"]
    frozen = operator.post(f"{SET}/versions", headers={"If-Match": tag(operator, SET)})
    assert (frozen.status_code, operator.get(SET).json()["images"]) == (201, 2)
    assert (
        "This is no ETag"
        in operator.delete(ROW, headers={"If-Match": '"of something else"'}).json()[
            "detail"
        ]
    )


def test_who_rolls_back_is_told_who_made_another_model_live(operator):
    read = tag(operator, f"/v1/models/{A}")
    operator.post(
        f"/v1/models/{B}/promote", json={"reason": WHY}, headers={"If-Match": read}
    )
    refused = operator.post("/v1/models/rollback", headers={"If-Match": read})
    assert refused.status_code == 412
    assert "light/2 was made live (promote) by key:" in refused.json()["detail"]
    back = operator.post(
        "/v1/models/rollback", headers={"If-Match": tag(operator, "/v1/models")}
    )
    assert back.json()["digest"] == A


def test_one_of_several_tags_is_enough_and_a_star_is_any(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    for place, told in enumerate(('{0}, "7"', '"7",{0}', "*"), 1):
        headers = {"If-Match": told.format(tag(admin, "/v1/hospital"))}
        assert (
            admin.patch(
                "/v1/hospital", json={"prevalence": place / 10}, headers=headers
            ).status_code
            == 200
        ), told


def test_a_weak_tag_is_none_and_what_is_no_tag_is_refused(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    for told, status in (
        ("W/{0}", 412),
        ('"7"', 412),
        ("7", 422),
        ("", 412),
        ('"7" "8"', 422),
    ):
        headers = {"If-Match": told.format(tag(admin, "/v1/hospital"))}
        assert (
            admin.patch(
                "/v1/hospital", json={"prevalence": 0.2}, headers=headers
            ).status_code
            == status
        ), told
    assert admin.get("/v1/hospital").json()["prevalence"] is None


def test_a_change_that_changes_nothing_leaves_the_tag_and_without_a_tag_the_last_word_counts(
    as_role, operator
):
    admin = as_role(Role.HOSPITAL_ADMIN)
    read = tag(admin, "/v1/hospital")
    assert (
        admin.patch("/v1/hospital", json={"prevalence": None}).headers["ETag"] == read
    )
    operator.patch("/v1/hospitals/north", json={"prevalence": 0.2})
    assert (
        admin.patch("/v1/hospital", json={"prevalence": 0.3}).json()["prevalence"]
        == 0.3
    )


def test_a_repeat_of_an_edit_is_answered_and_not_told_of_its_own_change(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    headers = {"If-Match": tag(admin, "/v1/hospital"), "Idempotency-Key": "k"}
    first, repeat = (
        admin.patch("/v1/hospital", json={"prevalence": 0.2}, headers=headers)
        for _ in range(2)
    )
    assert (first.status_code, first.text) == (repeat.status_code, repeat.text)
    assert first.headers["ETag"] == repeat.headers["ETag"] == tag(admin, "/v1/hospital")
