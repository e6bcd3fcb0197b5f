"""Training on a version with images of cases that were erased since it was frozen."""

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
    """Links one image of each part to a case; erases the case of a part."""
    cases = {}
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
        images = session.datasets.images(dataset)
    for part in Split:
        image = next(image for image in images if image.split == part)
        with ledger.hospital_session(hospital, "test") as session:
            cases[part] = session.cases.add(
                replace(CASE, image_sha256=image.image_sha256)
            )
        with ledger.system_session("test") as session:
            session.drafts.update_row(dataset, image, cases[part])

    def erase(part):
        with ledger.hospital_session(hospital, "test") as session:
            assert session.erasures.erase(cases[part], ErasureReason.PATIENT_REQUEST)

    return erase


def test_a_run_of_it_fails_and_a_newly_frozen_version_has_the_other_images(
    ledger, erase, dataset, version, request_run, trainer, recipe
):
    erase(Split.TEST)
    run_id = request_run(recipe)
    trainer.work()
    with ledger.system_session("test") as session:
        run = session.runs.find(run_id)
        new_version = session.versions.freeze(dataset)
    assert (run.state, run.reason) == (RunState.FAILED, "version-holds-erased")
    assert "./sera dataset freeze NAME" in str(run.message)
    assert (new_version.number, new_version.images) == (2, version.images - 1)


def test_a_running_run_stops_at_its_next_step(
    ledger, erase, version, request_run, trainer, recipe
):
    run_id = request_run(recipe)
    trainer._do(trainer._claim())
    erase(Split.TRAIN)
    trainer.work()
    with ledger.system_session("test") as session:
        run = session.runs.find(run_id)
    assert (run.state, run.reason) == (RunState.FAILED, "version-holds-erased")


def test_a_repeated_gate_leaves_erased_test_images_out(
    ledger, erase, version, request_run, trainer, recipe
):
    run_id = request_run(recipe)
    trainer.work()
    erase(Split.TEST)
    with ledger.system_session("test") as session:
        session.steps.add_gate_step(run_id)
    trainer.work()
    with ledger.system_session("test") as session:
        gates = [
            step for step in session.runs.steps(run_id) if step.kind is StepKind.GATE
        ]
    assert [step.outcome["left_out"] for step in gates] == [0, 1]
