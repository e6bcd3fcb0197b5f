"""Accounts, kept by operators and by the administrators of hospitals."""

from uuid import uuid4

import pytest

from shared.domain.roles import Role
from shared.ledger.people.repository import FREE_ATTEMPTS


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


@pytest.fixture
def admin(as_role):
    return as_role(Role.HOSPITAL_ADMIN)


def created(client, name, role="reader", **more):
    answer = client.post("/v1/people", json={"name": name, "role": role, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def events(operator, name):
    return [
        item
        for item in operator.get("/v1/audit?limit=1000").json()
        if item["event"] == name
    ]


def test_an_administrator_makes_a_person_whose_one_time_password_is_shown_once(
    admin, operator, browser
):
    new = created(admin, "A.Reader@north.example")
    assert (new["name"], new["hospital"], new["role"], new["must_change"]) == (
        "a.reader@north.example",
        "north",
        "reader",
        True,
    )
    fields = {"name": new["name"], "password": new["one_time_password"]}
    assert browser().post("/v1/session", json=fields).status_code == 201
    assert new["one_time_password"] not in admin.get("/v1/people").text
    assert [item["id"] for item in admin.get("/v1/people").json()] == [new["id"]]
    (event,) = events(operator, "person.created")
    assert event["details"] == {"person": new["id"], "role": "reader"}


def test_a_name_is_taken_once_however_it_is_typed(admin, operator):
    created(admin, "reader-1")
    answer = operator.post("/v1/people", json={"name": " READER-1 ", "role": "auditor"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")


def test_an_administrator_makes_and_changes_its_own_staff_only(admin, operator):
    for role in ("hospital_admin", "operator", "auditor"):
        assert (
            admin.post(
                "/v1/people", json={"name": f"some-{role}", "role": role}
            ).status_code
            == 403
        )
    boss = created(operator, "boss", "hospital_admin", hospital="north")
    reader = created(admin, "reader-1")
    assert {item["id"] for item in admin.get("/v1/people").json()} == {
        boss["id"],
        reader["id"],
    }
    for act in ("disable", "reset", "enable", "unlock"):
        assert admin.post(f"/v1/people/{boss['id']}/{act}").status_code == 404
        assert admin.post(f"/v1/people/{reader['id']}/{act}").status_code == 200
    assert (
        admin.patch(f"/v1/people/{boss['id']}", json={"role": "reader"}).status_code
        == 404
    )
    assert (
        admin.patch(
            f"/v1/people/{reader['id']}", json={"role": "hospital_admin"}
        ).status_code
        == 403
    )
    assert (
        admin.patch(f"/v1/people/{reader['id']}", json={"role": "submitter"}).json()[
            "role"
        ]
        == "submitter"
    )


def test_an_administrator_neither_sees_nor_changes_another_hospitals_people(
    admin, as_role
):
    second_id = created(as_role(Role.HOSPITAL_ADMIN, "south"), "reader-2")["id"]
    nobodys = str(uuid4())
    assert second_id not in admin.get("/v1/people").text
    for act in ("disable", "reset", "enable", "unlock"):
        foreign, absent = (
            admin.post(f"/v1/people/{person}/{act}") for person in (second_id, nobodys)
        )
        assert foreign.status_code == absent.status_code == 404
        assert foreign.text.replace(second_id, nobodys) == absent.text
    for hospital in ("south", "none"):
        fields = {"name": "reader-3", "role": "reader", "hospital": hospital}
        assert admin.post("/v1/people", json=fields).status_code == 403


def test_an_operator_names_the_hospital_of_a_hospitals_person(operator, admin):
    assert created(operator, "reader-1", hospital="north")["hospital"] == "north"
    assert created(operator, "auditor-1", "auditor")["hospital"] is None
    for told, code in (
        ({}, "person-needs-hospital"),
        ({"hospital": "none"}, "hospital-unknown"),
    ):
        answer = operator.post(
            "/v1/people", json={"name": "reader-2", "role": "reader", **told}
        )
        assert answer.json()["code"] == code


def test_a_role_stays_within_the_hospital_or_leaves_it_for_the_house(operator, admin):
    reader = created(admin, "reader-1")["id"]
    auditor = created(operator, "auditor-1", "auditor")["id"]
    assert (
        operator.patch(f"/v1/people/{auditor}", json={"role": "reader"}).json()["code"]
        == "person-needs-hospital"
    )
    changed = operator.patch(f"/v1/people/{reader}", json={"role": "auditor"}).json()
    assert (changed["role"], changed["hospital"]) == ("auditor", None)
    assert [
        event["details"]["role"] for event in events(operator, "person.role-changed")
    ] == ["auditor"]


def test_disabling_and_enabling_again_is_harmless_and_on_record_once(admin, operator):
    person = created(admin, "reader-1")["id"]
    first, repeat = (
        admin.post(f"/v1/people/{person}/disable").json() for _ in range(2)
    )
    assert first["disabled_at"] == repeat["disabled_at"] is not None
    assert [
        admin.post(f"/v1/people/{person}/enable").json()["disabled_at"]
        for _ in range(2)
    ] == [
        None,
        None,
    ]
    assert [
        len(events(operator, f"person.{did}")) for did in ("disabled", "enabled")
    ] == [1, 1]


def test_a_locked_person_is_unlocked(admin, operator, make_person, browser):
    person = make_person(name="reader-1")
    page = browser()
    for _ in range(FREE_ATTEMPTS):
        page.post("/v1/session", json={"name": "reader-1", "password": "wrong"})
    (shown,) = admin.get("/v1/people").json()
    assert (shown["failures"], shown["locked_until"] is None) == (FREE_ATTEMPTS, False)
    assert admin.post(f"/v1/people/{person.id}/unlock").json()["locked_until"] is None
    assert (
        page.post(
            "/v1/session", json={"name": "reader-1", "password": "wrong"}
        ).status_code
        == 401
    )
    assert len(events(operator, "person.unlocked")) == 1


def test_a_reset_gives_a_new_one_time_password_and_the_old_one_is_refused(
    admin, browser
):
    person = created(admin, "reader-1")
    body = admin.post(f"/v1/people/{person['id']}/reset").json()
    rows = [(person["one_time_password"], 401), (body["one_time_password"], 201)]
    for password, status in rows:
        assert (
            browser()
            .post("/v1/session", json={"name": "reader-1", "password": password})
            .status_code
            == status
        )


def test_nobody_locks_themselves_out(make_person, signed_in):
    operator = make_person(Role.OPERATOR)
    page = signed_in(operator)
    answers = [
        page.post(f"/v1/people/{operator.id}/{act}") for act in ("disable", "reset")
    ]
    answers.append(page.patch(f"/v1/people/{operator.id}", json={"role": "auditor"}))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (409, "not-oneself")
    }


@pytest.mark.parametrize("role", [Role.SUBMITTER, Role.READER, Role.AUDITOR])
def test_other_roles_have_no_say_about_people(as_role, role):
    assert as_role(role).get("/v1/people").status_code == 403


def test_what_is_no_name_is_answered_422(operator):
    for name in ("ab", "two words", "x" * 101, "tab\tbed", ""):
        assert (
            operator.post(
                "/v1/people", json={"name": name, "role": "auditor"}
            ).status_code
            == 422
        ), name
