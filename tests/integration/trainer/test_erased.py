"""A version whose images came in as cases that were erased since."""

from dataclasses import replace

import pytest

from shared.domain.erasure import ErasureReason
from shared.domain.training.states import RunState, Split, StepKind
from tests.support.builders import CASE


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "handcrafted.toml"
    path.write_text(
        'name = "handcrafted"\nversion = "1"\nsource = "the tests"\n'
        '[[features]]\nfamilies = ["intensity"]\n'
        '[[classifiers]]\nkind = "forest"\ntrees = 8\n'
        "[validation]\nfolds = 2\n"
    )
    return path


@pytest.fixture
def erase(ledger, dataset):
    """Frozen as cases of the north: one image of each part, by part. Erases the case of one."""
    cases = {}
    with ledger.system_session("test") as house:
        home = house.hospitals.ensure("north")
        images = house.versions._draft(dataset)
    for part in Split:
        image = next(each for each in images if each.split == part)
        with ledger.hospital_session(home, "test") as book:
            cases[part] = book.cases.add(replace(CASE, image_sha256=image.image_sha256))
        with ledger.system_session("test") as house:
            house.drafts.update_row(dataset, image, cases[part])

    def gone(part):
        with ledger.hospital_session(home, "test") as book:
            assert book.erasures.erase(cases[part], ErasureReason.PATIENT_REQUEST)

    return gone


def test_a_run_of_it_fails_and_says_why_and_a_version_frozen_anew_is_trained_on(
    ledger, erase, dataset, version, ask, desk, recipe
):
    erase(Split.TEST)
    run_id = ask(recipe)
    desk.work()
    with ledger.system_session("test") as house:
        run = house.runs.find(run_id)
        anew = house.versions.freeze(dataset)
    assert (run.state, run.reason) == (RunState.FAILED, "version-holds-erased")
    assert "./sera dataset freeze NAME" in str(run.message)
    assert (anew.number, anew.images) == (2, version.images - 1)


def test_a_run_under_way_stops_at_its_next_step(
    ledger, erase, version, ask, desk, recipe
):
    run_id = ask(recipe)
    desk._do(desk._claim())
    erase(Split.TRAIN)
    desk.work()
    with ledger.system_session("test") as house:
        run = house.runs.find(run_id)
    assert (run.state, run.reason) == (RunState.FAILED, "version-holds-erased")


def test_a_gate_that_is_held_again_leaves_erased_test_images_out(
    ledger, erase, version, ask, desk, recipe
):
    run_id = ask(recipe)
    desk.work()
    erase(Split.TEST)
    with ledger.system_session("test") as house:
        house.steps.add_gate_step(run_id)
    desk.work()
    with ledger.system_session("test") as house:
        gates = [
            step for step in house.runs.steps(run_id) if step.kind is StepKind.GATE
        ]
    assert [step.outcome["left_out"] for step in gates] == [0, 1]
