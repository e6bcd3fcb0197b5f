"""The monitoring page, with results that drift and known outcomes."""

import re

import numpy as np
import pytest

from shared.domain.roles import Role
from tests.support.observations import Observing

LANGUAGES = ("en", "ko")
UNIFORM = np.linspace(0, 1, 101).tolist()
REFERENCE = {"images": 3_000, "quantiles": {"score": UNIFORM, "strangeness": UNIFORM}}


def even(count, low=0.0):
    return np.linspace(low, 1, count + 2)[1:-1].tolist()


@pytest.fixture
def observations(ledger):
    """South drifts and north does not; outcomes of two months are known."""
    observing = Observing(ledger)
    observing.model(reference=REFERENCE)
    outcomes = {
        "malignant": [number % 2 for number in range(60)],
        "benign_p": 0.3,
        "malignant_p": 0.4,
    }
    observing.results(
        60, "north", "CX50", score=even(60), strangeness=even(60), **outcomes
    )
    observing.results(
        60,
        "north",
        "CX50",
        days_ago=40,
        score=even(60),
        strangeness=even(60),
        **outcomes,
    )
    observing.results(
        60,
        "south",
        "LOGIQ <9>",
        score=even(60, 0.6),
        strangeness=even(60),
        warnings=("saturated",),
    )
    observing.failed("south", "image-unreadable", "LOGIQ <9>")


@pytest.mark.parametrize("language", LANGUAGES)
def test_drift_quality_performance_and_coverage_are_on_one_page(
    as_person, observations, language
):
    page = as_person(Role.OPERATOR).get(
        "/console/monitoring", params={"lang": language}
    )
    assert page.status_code == 200
    for text in (
        'class="badge bad"',
        'class="badge good"',
        "saturated",
        "image-unreadable",
        "LOGIQ &lt;9&gt;",
        "99 %",
    ):
        assert text in page.text
    assert "style=" not in page.text
    assert len(page.content) < 200_000


def test_every_figure_has_a_unique_title_id(as_person, observations):
    page = as_person(Role.OPERATOR).get("/console/monitoring").text
    title_ids = re.findall(r'<title id="([^"]+)">', page)
    assert len(title_ids) == len(set(title_ids)) == page.count('role="img"') > 0


def test_several_months_are_shown_over_time(as_person, observations):
    since = np.datetime64("today") - np.timedelta64(60, "D")
    page = (
        as_person(Role.AUDITOR)
        .get("/console/monitoring", params={"since": str(since), "hospital": "north"})
        .text
    )
    assert page.count('class="plot rates"') == 3
    assert "LOGIQ" not in page


def test_an_administrator_sees_their_own_hospital_only(as_person, observations):
    page = as_person(Role.HOSPITAL_ADMIN, "north").get("/console/monitoring").text
    assert "CX50" in page
    assert "LOGIQ" not in page
    assert 'name="hospital"' not in page


def test_a_window_that_is_too_long_gets_an_error_page(as_person):
    page = as_person(Role.OPERATOR).get(
        "/console/monitoring", params={"since": "2020-01-01", "until": ""}
    )
    assert page.status_code == 422
    assert "<h1" in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_results_the_page_has_no_figures(as_person, language):
    page = as_person(Role.OPERATOR).get(
        "/console/monitoring", params={"lang": language}
    )
    assert page.status_code == 200
    assert "<svg" not in page.text
