import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from shared.domain.roles import Role
from tests.support.builders import form


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


@pytest.fixture
def admin(as_role):
    return as_role(Role.HOSPITAL_ADMIN)


def create_key(client, **facts):
    answer = client.post(
        "/v1/keys", json={"role": "reader", "label": "dashboard", **facts}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def status_with_key(gateway, key):
    """Return the status of a request with this key."""
    return gateway.get(
        "/v1/jobs", headers={"Authorization": f"Bearer {key}"}
    ).status_code


def events(operator, name):
    return [
        event
        for event in operator.get("/v1/audit?limit=1000").json()
        if event["event"] == name
    ]


def test_an_administrator_creates_a_key_that_is_shown_once_and_works_for_its_hospital(
    gateway, admin
):
    answer = admin.post("/v1/keys", json={"role": "reader", "label": "dashboard"})
    new = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert (new["hospital"], new["role"], new["revoked_at"]) == (
        "north",
        "reader",
        None,
    )
    assert status_with_key(gateway, new["key"]) == 200
    assert new["key"].split("_", 2)[2] not in admin.get("/v1/keys").text


def test_a_key_expires_after_a_year_by_default(admin):
    for days, body in ((365, {}), (3, {"expires_days": 3})):
        new = create_key(admin, **body)
        lifetime = datetime.fromisoformat(new["expires_at"]) - datetime.now(UTC)
        assert abs(lifetime - timedelta(days=days)) < timedelta(minutes=5)


def test_an_expired_key_is_refused(gateway, admin, ledger):
    new = create_key(admin)
    with ledger.engine.begin() as connection:
        connection.execute(
            text("UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = :id"),
            {"id": new["id"]},
        )
    assert status_with_key(gateway, new["key"]) == 401


def test_a_revoked_key_is_refused_at_once_and_the_revocation_is_audited(
    gateway, admin, operator
):
    new = create_key(admin)
    assert status_with_key(gateway, new["key"]) == 200
    first, repeat = (admin.delete(f"/v1/keys/{new['id']}").json() for _ in range(2))
    assert status_with_key(gateway, new["key"]) == 401
    assert first["revoked_at"] == repeat["revoked_at"]
    assert [event["details"]["key"] for event in events(operator, "key.revoked")] == [
        new["id"]
    ]


def test_a_stream_of_events_ends_with_its_key(gateway, admin, as_role):
    new = create_key(admin)
    job = as_role().post("/v1/cases", **form()).json()["job_id"]
    timer = threading.Timer(0.2, admin.delete, [f"/v1/keys/{new['id']}"])
    timer.start()
    stream = gateway.get(
        f"/v1/jobs/{job}/events", headers={"Authorization": f"Bearer {new['key']}"}
    )
    timer.join()
    assert stream.text.count("event: job") == 1


def test_a_rotated_key_and_its_successor_both_work_during_the_overlap(
    gateway, admin, operator
):
    old = create_key(admin, expires_days=30)
    new = admin.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_days": 2}).json()
    assert (
        status_with_key(gateway, old["key"])
        == status_with_key(gateway, new["key"])
        == 200
    )
    assert (new["role"], new["hospital"], new["label"]) == (
        "reader",
        "north",
        "dashboard",
    )
    keys_by_id = {key["id"]: key for key in admin.get("/v1/keys").json()}
    assert keys_by_id[old["id"]]["replaced_by"] == new["id"]
    remaining = datetime.fromisoformat(
        keys_by_id[old["id"]]["expires_at"]
    ) - datetime.now(UTC)
    assert timedelta(days=1) < remaining <= timedelta(days=2)
    assert datetime.fromisoformat(new["expires_at"]) - datetime.now(UTC) > timedelta(
        days=29
    )
    assert [
        event["details"]["successor"] for event in events(operator, "key.rotated")
    ] == [new["id"]]


def test_a_rotation_without_overlap_ends_the_old_key_at_once(gateway, admin):
    old = create_key(admin)
    new = admin.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_days": 0}).json()
    assert (
        status_with_key(gateway, old["key"]),
        status_with_key(gateway, new["key"]),
    ) == (401, 200)


def test_a_key_is_rotated_only_once_and_never_after_revocation(admin):
    replaced = create_key(admin)
    revoked = create_key(admin)
    admin.post(f"/v1/keys/{replaced['id']}/rotate")
    admin.delete(f"/v1/keys/{revoked['id']}")
    for key in (replaced, revoked):
        answer = admin.post(f"/v1/keys/{key['id']}/rotate")
        assert (answer.status_code, answer.json()["code"]) == (409, "key-ended")


def test_the_last_use_of_a_key_is_stored_once_a_minute(gateway, admin, ledger):
    new = create_key(admin)

    def last_used():
        return next(
            key for key in admin.get("/v1/keys").json() if key["id"] == new["id"]
        )["last_used_at"]

    assert last_used() is None
    status_with_key(gateway, new["key"])
    first = last_used()
    status_with_key(gateway, new["key"])
    assert last_used() == first is not None
    with ledger.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'"
            )
        )
    status_with_key(gateway, new["key"])
    assert datetime.fromisoformat(last_used()) >= datetime.fromisoformat(first)


def test_an_administrator_creates_and_revokes_keys_of_staff_only(admin, operator):
    assert (
        admin.post(
            "/v1/keys", json={"role": "hospital_admin", "label": "x"}
        ).status_code
        == 403
    )
    assert (
        admin.post("/v1/keys", json={"role": "operator", "label": "x"}).status_code
        == 403
    )
    admin_key = create_key(operator, role="hospital_admin", hospital="north")
    assert admin_key["id"] in {key["id"] for key in admin.get("/v1/keys").json()}
    assert admin.delete(f"/v1/keys/{admin_key['id']}").status_code == 404
    assert operator.delete(f"/v1/keys/{admin_key['id']}").status_code == 200


def test_an_administrator_has_no_access_to_keys_of_another_hospital(admin, as_role):
    other_admin = as_role(Role.HOSPITAL_ADMIN, "south")
    their_key = create_key(other_admin)
    assert their_key["id"] not in admin.get("/v1/keys").text
    missing_id = "0" * 12
    for path_format in ("{}", "{}/rotate"):
        method = "DELETE" if path_format == "{}" else "POST"
        foreign, absent = (
            admin.request(method, f"/v1/keys/{path_format.format(key)}")
            for key in (their_key["id"], missing_id)
        )
        assert foreign.status_code == absent.status_code == 404
        assert foreign.text.replace(their_key["id"], missing_id) == absent.text
    answers = [
        admin.post(
            "/v1/keys", json={"role": "reader", "label": "x", "hospital": hospital}
        )
        for hospital in ("south", "none")
    ]
    assert answers[0].status_code == 403
    assert answers[0].json() == answers[1].json()


def test_an_operator_names_the_hospital_of_a_hospitals_key(operator, admin):
    assert create_key(operator, hospital="north")["hospital"] == "north"
    assert create_key(operator, role="auditor")["hospital"] is None
    for body, code in (
        ({}, "key-needs-hospital"),
        ({"hospital": "none"}, "hospital-unknown"),
    ):
        answer = operator.post(
            "/v1/keys", json={"role": "reader", "label": "x", **body}
        )
        assert answer.json()["code"] == code


@pytest.mark.parametrize("role", [Role.SUBMITTER, Role.READER, Role.AUDITOR])
def test_other_roles_cannot_manage_keys(as_role, role):
    client = as_role(role)
    assert client.get("/v1/keys").status_code == 403
    assert client.delete(f"/v1/keys/{'0' * 12}").status_code == 403
