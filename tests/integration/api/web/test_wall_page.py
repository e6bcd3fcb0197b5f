"""The wall's page and the part of it that is fetched again, as the server renders them."""

import pytest

from services.api.wallboard import service
from services.api.wallboard.schemas import WallboardWindow
from services.api.web.languages import LANGUAGES
from shared.domain.roles import Role
from tests.support.builders import form, png


@pytest.fixture
def both(as_role, monkeypatch):
    """A case waits in the north and one in the south; a reading keeps, so that two answers can be the same."""
    monkeypatch.setitem(service.FRESH_S, WallboardWindow.QUARTER, 600.0)
    for seed, hospital in enumerate(("north", "south")):
        as_role(hospital=hospital).post("/v1/cases", **form(png(seed)))


def test_an_operators_wall_names_every_hospital_in_every_window_and_language(
    as_person, both
):
    operator = as_person(Role.OPERATOR)
    for asked in (
        {"window": window, "lang": language}
        for window in WallboardWindow
        for language in LANGUAGES
    ):
        page = operator.get("/wall", params=asked)
        assert page.status_code == 200, asked
        assert "north" in page.text
        assert "south" in page.text
        assert "style=" not in page.text


def test_a_readers_wall_names_their_own_hospital_alone(as_person, both):
    page = as_person(Role.READER, "south").get("/wall").text
    assert "south" in page
    assert "north" not in page


def test_figures_that_are_still_the_same_are_not_sent_again(as_person, both):
    person = as_person(Role.AUDITOR)
    first = person.get("/wall/figures")
    again = person.get(
        "/wall/figures", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert "<html" not in first.text


def test_nobody_sees_it_without_signing_in(gateway):
    answer = gateway.get("/wall/figures", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/sign-in?next=/wall/figures",
    )


def test_a_window_that_is_none_is_said_on_a_page(as_person):
    assert as_person(Role.READER).get("/wall?window=2d").status_code == 422
