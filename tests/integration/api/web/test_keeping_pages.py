"""Hospitals, people and keys, as the server renders them for operators and administrators."""

from datetime import timedelta

import pytest

from shared.domain.roles import Role

LANGUAGES = ("en", "ko")


@pytest.fixture
def hospital_ids(ledger):
    """Two hospitals, one with a slash in its name."""
    with ledger.system_session("test") as session:
        return session.hospitals.ensure("north"), session.hospitals.ensure("south/2")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_operator_is_shown_every_hospital_and_its_limits(
    as_person, hospital_ids, language
):
    operator = as_person(Role.OPERATOR)
    assert (
        'href="/console/hospitals/south/2"'
        in operator.get("/console/hospitals", params={"lang": language}).text
    )
    page = operator.get("/console/hospitals/south/2", params={"lang": language}).text
    assert 'data-ask="PATCH /v1/hospitals/south/2"' in page
    assert 'name="weight"' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_administrator_sets_its_own_hospital_without_its_limits(
    as_person, hospital_ids, language
):
    page = (
        as_person(Role.HOSPITAL_ADMIN)
        .get("/console/hospital", params={"lang": language})
        .text
    )
    assert 'data-ask="PATCH /v1/hospital"' in page
    assert {"en": "from the first one on", "ko": "첫 모델부터"}[language] in page
    assert 'name="retention_days"' in page
    assert 'name="weight"' not in page


def test_the_settings_page_contains_the_last_change_and_its_author(
    as_person, make_person, signed_in
):
    person = make_person(Role.HOSPITAL_ADMIN, "north", "chief.north")
    administrator = signed_in(person)
    administrator.patch("/v1/hospital", json={"prevalence": 0.2})
    page = administrator.get("/console/hospital?lang=en").text
    assert "chief.north changed these settings last" in page
    assert "Share of malignant nodules: not set → 0.2" in page


@pytest.mark.parametrize("path", ["/console/hospitals", "/console/hospitals/north"])
def test_other_hospitals_are_not_an_administrators(as_person, hospital_ids, path):
    assert as_person(Role.HOSPITAL_ADMIN).get(path).status_code == 403


def test_an_unknown_hospital_gets_an_error_page(as_person):
    page = as_person(Role.OPERATOR).get("/console/hospitals/nowhere")
    assert page.status_code == 404
    assert "<h1" in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_people_of_another_hospital_are_not_an_administrators(
    as_person, make_person, language
):
    make_person(Role.READER, "south", "saul.south")
    nora = make_person(Role.READER, "north", "nora.north")
    page = (
        as_person(Role.HOSPITAL_ADMIN)
        .get("/console/people", params={"lang": language})
        .text
    )
    assert "saul.south" not in page
    assert f"POST /v1/people/{nora.id}/disable" in page
    assert '<option value="operator"' not in page


def test_nobody_can_disable_their_own_account_on_the_page(make_person, signed_in):
    operator = make_person(Role.OPERATOR, None)
    assert (
        f"/v1/people/{operator.id}"
        not in signed_in(operator).get("/console/people").text
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_that_expire_soon_or_are_revoked_are_marked(
    as_person, ledger, hospital_ids, language
):
    with ledger.system_session("test") as session:
        keys = [
            session.api_keys.create(
                Role.SUBMITTER,
                hospital_ids[0],
                label,
                session.api_keys.now() + timedelta(days=days),
            ).key
            for label, days in (("pacs", 400), ("trial", 5), ("old", 300))
        ]
        session.api_keys.revoke(keys[2].id)
    page = as_person(Role.OPERATOR).get("/console/keys", params={"lang": language}).text
    assert page.count("badge warn") == page.count("badge bad") == 1
    assert page.count("/rotate") == 2
    assert f"DELETE /v1/keys/{keys[2].id}" not in page
