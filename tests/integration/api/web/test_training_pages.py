"""The operator's pages of data sets and training runs, as the server renders them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.training.schemas import RunEventView
from services.api.web.pages.console.runs import series
from shared.domain.messages import Message
from shared.domain.roles import Role
from shared.domain.training.states import Split, StepKind
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.training.trainers import MissingWeights

LANGUAGES = ("en", "ko")


@pytest.fixture
def operator(as_person):
    return as_person(Role.OPERATOR)


@pytest.fixture
def version(ledger):
    """Four images of two sites, frozen, and one more in the draft."""
    rows = [
        LabelledImage(
            f"{n:064x}",
            n % 2 == 0,
            Split.TEST if n > 2 else Split.TRAIN,
            patient=f"p{n}",
            site="north",
        )
        for n in range(4)
    ]
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("nodules", synthetic=False)
        session.datasets.add(dataset, rows)
        version = session.versions.freeze(dataset)
        session.datasets.add(
            dataset, [LabelledImage("f" * 64, True, Split.TRAIN, size_mm=25.0)]
        )
    return version


@pytest.fixture
def run_id(ledger, version):
    with ledger.system_session("test") as session:
        return session.runs.request(
            session.datasets.find("nodules").id, version.id, "starter", 0, 2
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_data_set_shows_its_counts_and_the_fingerprints_of_its_versions(
    operator, version, language
):
    page = operator.get("/console/datasets/nodules", params={"lang": language})
    assert page.status_code == 200
    for text in (
        version.fingerprint,
        "north",
        'href="?version=1"',
        "dataset=nodules&amp;version=1",
    ):
        assert text in page.text
    assert "style=" not in page.text
    assert len(page.content) < 200_000


def test_a_version_has_counts_of_its_own(operator, version):
    draft = operator.get("/console/datasets/nodules").text
    frozen = operator.get("/console/datasets/nodules?version=1").text
    assert ">20 to 40 mm<" in draft
    assert ">20 to 40 mm<" not in frozen
    assert "Contents of version 1" in frozen


def test_the_person_who_froze_or_promoted_is_named(ledger, make_person, signed_in):
    person = make_person(Role.OPERATOR, None, "kim.minji")
    actor = f"person:{person.id}"
    with ledger.system_session(actor) as session:
        dataset = session.datasets.ensure("nodules")
        session.datasets.add(dataset, [LabelledImage("a" * 64, True, Split.TRAIN)])
        session.versions.freeze(dataset)
        session.models.store("d" * 64, "first", "starter", None, True, {})
        session.models.promote("d" * 64, actor, None)
    client = signed_in(person)
    for path in ("/console/datasets/nodules", "/console/models", "/console/audit"):
        tables = client.get(path).text.partition("<table")[2]
        assert "kim.minji" in tables
        assert f">{actor}<" not in tables
        assert f", {actor}" not in tables
    assert client.get("/v1/datasets/nodules/versions").json()[0]["actor"] == actor


def test_an_unknown_data_set_or_run_gets_an_error_page(operator):
    assert operator.get("/console/datasets/absent").status_code == 404
    assert (
        operator.get("/console/runs/00000000-0000-0000-0000-000000000000").status_code
        == 404
    )


def test_a_run_needs_a_frozen_version(operator):
    assert (
        "A run learns from a frozen version, and there is none yet"
        in operator.get("/console/runs").text
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_missing_weights_of_a_recipe_are_shown_before_a_run_starts(
    operator, ledger, version, language
):
    with ledger.system_session("test") as session:
        session.trainers.report(
            "trainer-1",
            {"light": [MissingWeights("squeezenet", "a.pth/b.pth", "/weights", "")]},
        )
    page = operator.get(
        "/console/runs", params={"lang": language, "dataset": "nodules", "version": 1}
    ).text
    assert "a.pth/b.pth" in page
    assert 'value="nodules/1" selected' in page
    assert page.count("badge bad") == 1


def test_a_failed_step_shows_its_reason_and_the_run_can_be_resumed(
    operator, ledger, run_id
):
    with ledger.system_session("test") as session:
        step = session.steps.claim("host/1/a", timedelta(minutes=1), 3)
        facts = {"count": 40, "label": "benign"}
        session.steps.fail(step.token, Message("single-class", facts))
    page = operator.get(f"/console/runs/{run_id}").text
    assert "All 40 labelled images are benign." in page
    assert 'data-opens="resume"' in page
    assert "data-follows" not in page


def progress_event(number: int, step: str, **metrics: float) -> RunEventView:
    fields = {
        "at": datetime.now(UTC),
        "stage": StepKind.TUNING,
        "fraction": 0.5,
        "message": "",
    }
    fields |= {"message_code": "progress-epoch", "facts": {}}
    return RunEventView(id=number, step=step, metrics=metrics, **fields)


def test_another_attempt_of_a_step_begins_a_new_line():
    log = [
        progress_event(1, "a", loss=0.9, epoch=1),
        progress_event(2, "a", loss=0.8, epoch=2),
        progress_event(3, "a", loss=0.7, epoch=1),
    ]
    assert series(log, "loss") == {"a": [(1, 0.9), (2, 0.8)], "a (2)": [(1, 0.7)]}
    assert series(log, "auc") == {}


def test_epochs_are_counted_if_events_have_no_number():
    log = [
        progress_event(1, "a", loss=0.9),
        progress_event(2, "b", loss=0.5, auc=0.7),
        progress_event(3, "a", loss=0.8),
    ]
    assert series(log, "loss") == {"a": [(1, 0.9), (2, 0.8)], "b": [(1, 0.5)]}
    assert series(log, "auc") == {"b": [(1, 0.7)]}
