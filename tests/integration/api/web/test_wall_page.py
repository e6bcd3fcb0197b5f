"""The wallboard page and its refreshed part, as the server renders them."""

import pytest

from services.api.wallboard import service
from services.api.wallboard.schemas import WallboardWindow
from services.api.web.languages import LANGUAGES
from shared.domain.roles import Role
from tests.support.builders import form, png


@pytest.fixture
def waiting_cases(as_role, monkeypatch):
    """A case waits in the north and one in the south.

    Figures stay in the cache, so that two answers can be equal.
    """
    monkeypatch.setitem(service.FRESH_S, WallboardWindow.QUARTER, 600.0)
    for seed, hospital in enumerate(("north", "south")):
        as_role(hospital=hospital).post("/v1/cases", **form(png(seed)))


def test_an_operators_wallboard_names_every_hospital_in_every_window_and_language(
    as_person, waiting_cases
):
    operator = as_person(Role.OPERATOR)
    for parameters in (
        {"window": window, "lang": language}
        for window in WallboardWindow
        for language in LANGUAGES
    ):
        page = operator.get("/wall", params=parameters)
        assert page.status_code == 200, parameters
        assert "north" in page.text
        assert "south" in page.text
        assert "style=" not in page.text


def test_a_readers_wallboard_names_their_own_hospital_only(as_person, waiting_cases):
    page = as_person(Role.READER, "south").get("/wall").text
    assert "south" in page
    assert "north" not in page


def test_unchanged_figures_are_not_sent_again(as_person, waiting_cases):
    person = as_person(Role.AUDITOR)
    first = person.get("/wall/figures")
    second = person.get(
        "/wall/figures", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (first.status_code, second.status_code, second.content) == (200, 304, b"")
    assert "<html" not in first.text


def test_the_wallboard_needs_a_session(gateway):
    answer = gateway.get("/wall/figures", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/sign-in?next=/wall/figures",
    )


def test_an_unknown_window_is_refused(as_person):
    assert as_person(Role.READER).get("/wall?window=2d").status_code == 422
