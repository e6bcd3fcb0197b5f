"""Hospitals, people and keys, as the server renders them for an operator and for a hospital's administrator."""

from datetime import timedelta

import pytest

from shared.domain.roles import Role

LANGUAGES = ("en", "ko")


@pytest.fixture
def places(ledger):
    """Two hospitals, one with a slash in its name."""
    with ledger.system_session("test") as house:
        return house.hospitals.ensure("north"), house.hospitals.ensure("south/2")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_operator_is_shown_every_hospital_and_its_limits(
    as_person, places, language
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
    as_person, places, language
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


def test_who_changed_the_settings_last_stands_ready_for_whoever_comes_too_late(
    as_person, make_person, signed_in
):
    chief = make_person(Role.HOSPITAL_ADMIN, "north", "chief.north")
    administrator = signed_in(chief)
    administrator.patch("/v1/hospital", json={"prevalence": 0.2})
    page = administrator.get("/console/hospital?lang=en").text
    assert "chief.north changed these settings last" in page
    assert "Share of malignant nodules: not set → 0.2" in page


@pytest.mark.parametrize("path", ["/console/hospitals", "/console/hospitals/north"])
def test_other_hospitals_are_not_an_administrators(as_person, places, path):
    assert as_person(Role.HOSPITAL_ADMIN).get(path).status_code == 403


def test_a_hospital_that_there_is_not_is_said_on_a_page(as_person):
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


def test_nobody_is_offered_to_disable_themselves(make_person, signed_in):
    operator = make_person(Role.OPERATOR, None)
    assert (
        f"/v1/people/{operator.id}"
        not in signed_in(operator).get("/console/people").text
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_that_end_soon_or_have_ended_say_so(as_person, ledger, places, language):
    with ledger.system_session("test") as house:
        made = [
            house.api_keys.create(
                Role.SUBMITTER,
                places[0],
                label,
                house.api_keys.now() + timedelta(days=days),
            ).key
            for label, days in (("pacs", 400), ("trial", 5), ("old", 300))
        ]
        house.api_keys.revoke(made[2].id)
    page = as_person(Role.OPERATOR).get("/console/keys", params={"lang": language}).text
    assert page.count("badge warn") == page.count("badge bad") == 1
    assert page.count("/rotate") == 2
    assert f"DELETE /v1/keys/{made[2].id}" not in page
