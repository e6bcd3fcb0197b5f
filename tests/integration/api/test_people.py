"""Accounts, managed by operators and by the administrators of hospitals."""

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


def create_person(client, name, role="reader", **fields):
    answer = client.post("/v1/people", json={"name": name, "role": role, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def events(operator, name):
    return [
        event
        for event in operator.get("/v1/audit?limit=1000").json()
        if event["event"] == name
    ]


def test_an_administrator_creates_a_person_whose_one_time_password_is_shown_once(
    admin, operator, browser
):
    person = create_person(admin, "A.Reader@north.example")
    assert (
        person["name"],
        person["hospital"],
        person["role"],
        person["must_change"],
    ) == (
        "a.reader@north.example",
        "north",
        "reader",
        True,
    )
    fields = {"name": person["name"], "password": person["one_time_password"]}
    assert browser().post("/v1/session", json=fields).status_code == 201
    assert person["one_time_password"] not in admin.get("/v1/people").text
    assert [person["id"] for person in admin.get("/v1/people").json()] == [person["id"]]
    (event,) = events(operator, "person.created")
    assert event["details"] == {"person": person["id"], "role": "reader"}


def test_names_are_unique_regardless_of_case_and_spaces(admin, operator):
    create_person(admin, "reader-1")
    answer = operator.post("/v1/people", json={"name": " READER-1 ", "role": "auditor"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")


def test_an_administrator_creates_and_changes_its_own_staff_only(admin, operator):
    for role in ("hospital_admin", "operator", "auditor"):
        assert (
            admin.post(
                "/v1/people", json={"name": f"some-{role}", "role": role}
            ).status_code
            == 403
        )
    other_admin = create_person(operator, "boss", "hospital_admin", hospital="north")
    reader = create_person(admin, "reader-1")
    assert {person["id"] for person in admin.get("/v1/people").json()} == {
        other_admin["id"],
        reader["id"],
    }
    for action in ("disable", "reset", "enable", "unlock"):
        assert admin.post(f"/v1/people/{other_admin['id']}/{action}").status_code == 404
        assert admin.post(f"/v1/people/{reader['id']}/{action}").status_code == 200
    assert (
        admin.patch(
            f"/v1/people/{other_admin['id']}", json={"role": "reader"}
        ).status_code
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
    foreign_id = create_person(as_role(Role.HOSPITAL_ADMIN, "south"), "reader-2")["id"]
    missing_id = str(uuid4())
    assert foreign_id not in admin.get("/v1/people").text
    for action in ("disable", "reset", "enable", "unlock"):
        foreign, absent = (
            admin.post(f"/v1/people/{person}/{action}")
            for person in (foreign_id, missing_id)
        )
        assert foreign.status_code == absent.status_code == 404
        assert foreign.text.replace(foreign_id, missing_id) == absent.text
    for hospital in ("south", "none"):
        fields = {"name": "reader-3", "role": "reader", "hospital": hospital}
        assert admin.post("/v1/people", json=fields).status_code == 403


def test_an_operator_names_the_hospital_of_a_hospitals_person(operator, admin):
    assert create_person(operator, "reader-1", hospital="north")["hospital"] == "north"
    assert create_person(operator, "auditor-1", "auditor")["hospital"] is None
    for hospital_field, code in (
        ({}, "person-needs-hospital"),
        ({"hospital": "none"}, "hospital-unknown"),
    ):
        answer = operator.post(
            "/v1/people", json={"name": "reader-2", "role": "reader", **hospital_field}
        )
        assert answer.json()["code"] == code


def test_a_role_change_stays_in_the_hospital_or_moves_to_a_system_role(operator, admin):
    reader = create_person(admin, "reader-1")["id"]
    auditor = create_person(operator, "auditor-1", "auditor")["id"]
    assert (
        operator.patch(f"/v1/people/{auditor}", json={"role": "reader"}).json()["code"]
        == "person-needs-hospital"
    )
    changed = operator.patch(f"/v1/people/{reader}", json={"role": "auditor"}).json()
    assert (changed["role"], changed["hospital"]) == ("auditor", None)
    assert [
        event["details"]["role"] for event in events(operator, "person.role-changed")
    ] == ["auditor"]


def test_repeated_disabling_and_enabling_is_audited_once(admin, operator):
    person = create_person(admin, "reader-1")["id"]
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
        len(events(operator, f"person.{change}")) for change in ("disabled", "enabled")
    ] == [1, 1]


def test_a_locked_person_is_unlocked(admin, operator, make_person, browser):
    person = make_person(name="reader-1")
    page = browser()
    for _ in range(FREE_ATTEMPTS):
        page.post("/v1/session", json={"name": "reader-1", "password": "wrong"})
    (locked,) = admin.get("/v1/people").json()
    assert (locked["failures"], locked["locked_until"] is None) == (
        FREE_ATTEMPTS,
        False,
    )
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
    person = create_person(admin, "reader-1")
    reset = admin.post(f"/v1/people/{person['id']}/reset").json()
    attempts = [(person["one_time_password"], 401), (reset["one_time_password"], 201)]
    for password, status in attempts:
        assert (
            browser()
            .post("/v1/session", json={"name": "reader-1", "password": password})
            .status_code
            == status
        )


def test_people_cannot_disable_reset_or_demote_themselves(make_person, signed_in):
    operator = make_person(Role.OPERATOR)
    page = signed_in(operator)
    answers = [
        page.post(f"/v1/people/{operator.id}/{action}")
        for action in ("disable", "reset")
    ]
    answers.append(page.patch(f"/v1/people/{operator.id}", json={"role": "auditor"}))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (409, "not-oneself")
    }


@pytest.mark.parametrize("role", [Role.SUBMITTER, Role.READER, Role.AUDITOR])
def test_other_roles_cannot_manage_people(as_role, role):
    assert as_role(role).get("/v1/people").status_code == 403


def test_an_invalid_name_gets_422(operator):
    for name in ("ab", "two words", "x" * 101, "tab\tbed", ""):
        assert (
            operator.post(
                "/v1/people", json={"name": name, "role": "auditor"}
            ).status_code
            == 422
        ), name
