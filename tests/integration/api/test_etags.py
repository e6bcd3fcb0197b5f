"""Simultaneous edits: one succeeds, the other gets 412 with the intermediate changes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.roles import Role
from shared.domain.training.states import Split
from shared.ledger.datasets.repository import LabelledImage

A = "a" * 64
B = "b" * 64
C = "c" * 64
REASON = "it finds what the other misses"
DATASET = "/v1/datasets/set"
IMAGE = f"/v1/datasets/set/images/{A}"


@pytest.fixture
def operator(as_role, ledger):
    """An operator's client; there are a dataset of two images and three models. Model A is live."""
    as_role()
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("set")
        session.datasets.add(
            dataset, [LabelledImage(image, image == A, Split.TRAIN) for image in (A, B)]
        )
        for digest in (A, B, C):
            session.models.store(
                digest,
                name="light",
                recipe="light",
                run_id=None,
                synthetic=False,
                metrics={},
            )
        session.models.promote(A, "test", None)
    return as_role(Role.OPERATOR)


def read_etag(client, address):
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
    "a label": (DATASET, "PUT", IMAGE, [{"malignant": False}, {"site": "south"}]),
    "parts": (
        DATASET,
        "POST",
        f"{DATASET}/split",
        [{"by": "patient", "seed": seed, "test_share": 0.9} for seed in (1, 2)],
    ),
    "a promotion": (
        "/v1/models",
        "POST",
        "/v1/models/{}/promote",
        [{"reason": REASON}, {"reason": REASON}],
    ),
}


@pytest.mark.parametrize("resource", EDITS)
def test_of_two_simultaneous_edits_one_succeeds_and_one_gets_412(
    as_role, operator, resource
):
    etag_path, method, address, bodies = EDITS[resource]
    client = as_role(Role.HOSPITAL_ADMIN) if address == "/v1/hospital" else operator
    current_tag = (
        read_etag(client, etag_path)
        if etag_path
        else f'"{operator.get("/v1/hospitals").json()[0]["tag"]}"'
    )
    start = threading.Barrier(2)

    def edit(number):
        headers = {"If-Match": current_tag, "Idempotency-Key": str(number)}
        start.wait()
        return client.request(
            method, address.format((B, C)[number]), json=bodies[number], headers=headers
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


def test_simultaneous_changes_of_one_hospital_do_not_deadlock(as_role):
    """Each request locks the row of its hospital when it writes its receipt.

    The change itself must not need a stronger lock."""
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


def test_a_refused_change_of_settings_names_the_changed_ones(as_role):
    first = as_role(Role.HOSPITAL_ADMIN)
    second = as_role(Role.HOSPITAL_ADMIN)
    etag = read_etag(second, "/v1/hospital")
    changed = first.patch(
        "/v1/hospital",
        json={"prevalence": 0.2, "refer_alpha": 0.1},
        headers={"If-Match": etag},
    )
    refused = second.patch(
        "/v1/hospital", json={"prevalence": 0.3}, headers={"If-Match": etag}
    )
    assert (
        "north was changed since: prevalence, refer_alpha." in refused.json()["detail"]
    )
    assert (
        changed.headers["ETag"]
        == read_etag(second, "/v1/hospital")
        == f'"{changed.json()["tag"]}"'
        != etag
    )
    answer = second.patch(
        "/v1/hospital",
        json={"prevalence": 0.3},
        headers={"If-Match": changed.headers["ETag"]},
    )
    assert (answer.status_code, answer.json()["refer_alpha"]) == (200, 0.1)


def test_a_refused_edit_of_a_draft_names_the_number_of_changes_and_the_last_actor(
    operator,
):
    etag = read_etag(operator, DATASET)
    for body in ({"site": "south"}, {"malignant": False}, {"malignant": False}):
        assert operator.put(IMAGE, json=body).status_code == 200
    for method, address, body in (
        ("PUT", IMAGE, {"site": "west"}),
        ("DELETE", IMAGE, None),
        ("POST", f"{DATASET}/versions", None),
    ):
        refused = operator.request(
            method, address, json=body, headers={"If-Match": etag}
        )
        assert refused.status_code == 412
        assert (
            "The draft of set was changed 2 times since, last by key:"
            in refused.json()["detail"]
        )
        assert "(corrected)" in refused.json()["detail"]
    frozen = operator.post(
        f"{DATASET}/versions", headers={"If-Match": read_etag(operator, DATASET)}
    )
    assert (frozen.status_code, operator.get(DATASET).json()["images"]) == (201, 2)
    assert (
        "This is no ETag"
        in operator.delete(IMAGE, headers={"If-Match": '"of something else"'}).json()[
            "detail"
        ]
    )


def test_a_refused_rollback_names_the_actor_of_the_promotion(operator):
    etag = read_etag(operator, f"/v1/models/{A}")
    operator.post(
        f"/v1/models/{B}/promote", json={"reason": REASON}, headers={"If-Match": etag}
    )
    refused = operator.post("/v1/models/rollback", headers={"If-Match": etag})
    assert refused.status_code == 412
    assert "light/2 was made live (promote) by key:" in refused.json()["detail"]
    rollback = operator.post(
        "/v1/models/rollback", headers={"If-Match": read_etag(operator, "/v1/models")}
    )
    assert rollback.json()["digest"] == A


def test_one_matching_tag_is_enough_and_a_star_matches_any(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    for number, if_match in enumerate(('{0}, "7"', '"7",{0}', "*"), 1):
        headers = {"If-Match": if_match.format(read_etag(admin, "/v1/hospital"))}
        assert (
            admin.patch(
                "/v1/hospital", json={"prevalence": number / 10}, headers=headers
            ).status_code
            == 200
        ), if_match


def test_a_weak_tag_never_matches_and_an_invalid_tag_is_refused(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    for if_match, status in (
        ("W/{0}", 412),
        ('"7"', 412),
        ("7", 422),
        ("", 412),
        ('"7" "8"', 422),
    ):
        headers = {"If-Match": if_match.format(read_etag(admin, "/v1/hospital"))}
        assert (
            admin.patch(
                "/v1/hospital", json={"prevalence": 0.2}, headers=headers
            ).status_code
            == status
        ), if_match
    assert admin.get("/v1/hospital").json()["prevalence"] is None


def test_an_empty_change_keeps_the_tag_and_without_a_tag_the_last_write_wins(
    as_role, operator
):
    admin = as_role(Role.HOSPITAL_ADMIN)
    etag = read_etag(admin, "/v1/hospital")
    assert (
        admin.patch("/v1/hospital", json={"prevalence": None}).headers["ETag"] == etag
    )
    operator.patch("/v1/hospitals/north", json={"prevalence": 0.2})
    assert (
        admin.patch("/v1/hospital", json={"prevalence": 0.3}).json()["prevalence"]
        == 0.3
    )


def test_a_repeated_edit_is_replayed_and_does_not_conflict_with_itself(as_role):
    admin = as_role(Role.HOSPITAL_ADMIN)
    headers = {"If-Match": read_etag(admin, "/v1/hospital"), "Idempotency-Key": "k"}
    first, repeat = (
        admin.patch("/v1/hospital", json={"prevalence": 0.2}, headers=headers)
        for _ in range(2)
    )
    assert (first.status_code, first.text) == (repeat.status_code, repeat.text)
    assert (
        first.headers["ETag"]
        == repeat.headers["ETag"]
        == read_etag(admin, "/v1/hospital")
    )
