from dataclasses import replace

import pytest
from sqlalchemy import text, update

from services.trainer.samples import make_samples
from services.trainer.step_owner import StepOwner
from shared.bundles import load
from shared.bundles.storage import fetch
from shared.domain.models import GateVerdict
from shared.domain.training.states import RunState, Split, StepKind, StepState
from shared.imaging import Framing
from shared.ledger.tables import RunStepRow
from tests.integration.trainer.conftest import TRAINING_IMAGES, phantom_rows
from tests.support.damaged_objects import DAMAGES


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "handcrafted.toml"
    path.write_text(
        'name = "handcrafted"\nversion = "1"\nsource = "the tests"\n'
        '[[features]]\nfamilies = ["intensity", "shape"]\n'
        '[[classifiers]]\nkind = "forest"\ntrees = 10\n'
        "[validation]\nfolds = 2\n"
    )
    return path


def test_a_run_ends_in_a_stored_bundle_that_knows_only_the_training_rows(
    trainer, run, recipe, ledger, objects, tmp_path
):
    finished = run(trainer, recipe)
    assert (finished.state, finished.fraction, finished.reason) == (
        RunState.DONE,
        1.0,
        None,
    )
    assert finished.metrics["images"] == TRAINING_IMAGES
    bundle = load(
        fetch(finished.model_digest, objects, tmp_path / "cache"), finished.model_digest
    )
    assert bundle.manifest.training.images == TRAINING_IMAGES
    assert bundle.manifest.synthetic
    with ledger.system_session("test") as session:
        stored = session.models.find(finished.model_digest)
    assert (stored.name, stored.version, stored.live) == ("handcrafted", 1, False)


def test_a_model_of_two_sites_keeps_how_fits_on_one_did_at_the_other(
    trainer, recipe, ledger, objects, tmp_path
):
    rows = [
        replace(row, site=("north", "south")[number % 4 > 1])
        for number, row in enumerate(phantom_rows(objects, range(TRAINING_IMAGES)))
    ]
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("two sites", synthetic=True)
        session.datasets.add(dataset, rows)
        version = session.versions.freeze(dataset)
        run_id = session.runs.request(
            dataset, version.id, str(recipe), seed=0, folds=None
        )
    trainer.work()
    with ledger.system_session("test") as session:
        finished = session.runs.find(run_id)
    bundle = load(fetch(finished.model_digest, objects, tmp_path / "cache"))
    sites = bundle.model.evidence.left_out_sites
    assert [row.site for row in sites.rows] == ["north", "south"]
    assert sum(row.images for row in sites.rows) == TRAINING_IMAGES
    assert set(sites.areas) == {"recipe"}


def test_a_second_run_computes_no_feature_again(trainer, run, recipe, ledger):
    computed = []
    for _ in range(2):
        finished = run(trainer, recipe)
        with ledger.system_session("test") as session:
            steps = [
                step
                for step in session.runs.steps(finished.id)
                if step.kind is StepKind.FEATURES
            ]
        computed.append(sum(step.outcome["computed"] for step in steps))
    assert computed == [TRAINING_IMAGES, 0]


def test_a_run_that_cannot_be_done_gives_its_reason_and_the_next_one_is_done(
    trainer, run, recipe
):
    failed = run(trainer, "light")
    assert (failed.state, failed.reason) == (RunState.FAILED, "weights-missing")
    assert "SERA_WEIGHTS_DIR" in str(failed.message)
    assert run(trainer, recipe).state is RunState.DONE


@pytest.mark.parametrize("part", ["image_sha256", "mask_sha256"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_run_whose_stored_images_or_masks_are_damaged_fails_and_names_the_damage(
    trainer, run, recipe, ledger, version, tmp_path, damage, part
):
    with ledger.system_session("test") as session:
        rows = session.versions.images(version.id)
    for sha256 in {getattr(row, part) for row in rows}:
        (stored,) = (tmp_path / "objects").rglob(sha256)
        damage(stored)
    failed = run(trainer, recipe)
    assert (failed.state, failed.reason) == (RunState.FAILED, "none-readable")
    assert failed.message.facts["code"] == DAMAGES[damage][1]


def test_a_damaged_or_swapped_cache_entry_is_computed_again(
    trainer, run, recipe, tmp_path
):
    first = run(trainer, recipe)
    root = tmp_path / "objects" / "named"
    entries = sorted(path for path in root.rglob("*") if path.is_file())
    values = [entry.read_bytes() for entry in entries]
    for entry, value in zip(entries, [*values[1:], values[0]], strict=True):
        entry.write_bytes(value)
    second = run(trainer, recipe)
    assert second.state is RunState.DONE
    assert second.metrics["auc"] == first.metrics["auc"]


def test_a_sample_is_cropped_by_its_mask(objects, ledger, version):
    with ledger.system_session("test") as session:
        rows = session.versions.images(version.id)
    nodule = make_samples(rows, objects)[0].load(Framing(0.1))
    assert nodule.has_outline
    assert nodule.pixels.shape < (128, 128)
    assert 0 < nodule.mask.mean() < 1


def test_following_steps_are_notified_and_every_step_has_an_event(
    trainer, run, recipe, notifications, ledger
):
    finished = run(trainer, recipe)
    with ledger.system_session("test") as session:
        steps = session.runs.steps(finished.id)
        events = session.runs.events(finished.id)
    assert {step.state for step in steps} == {StepState.DONE}
    assert [step.kind for step in steps][:3] == [
        StepKind.PLAN,
        StepKind.FEATURES,
        StepKind.TABLE,
    ]
    assert {event.step for event in events} == {step.name for step in steps}
    assert [event for event in events if str(event.message) == event.message.code] == []
    assert set(notifications.subjects) == {finished.id}


def test_a_trainer_killed_at_any_step_costs_that_step_only(
    make_trainer, request_run, recipe, ledger
):
    run_id = request_run(recipe)
    earlier_outcomes = {}
    kills = 0
    while True:
        dying = make_trainer(owner=StepOwner("elsewhere", 1, kills))
        step = dying._claim()
        if step is None:
            break
        kills += 1
        # The trainer was killed during the step, and its lease has expired.
        _expire_leases(ledger)
        trainer = make_trainer()
        second_claim = trainer._claim()
        assert (second_claim.name, second_claim.attempts) == (step.name, 2)
        trainer._do(second_claim)
        with ledger.system_session("test") as session:
            outcomes = {
                step.name: step.outcome
                for step in session.runs.steps(run_id)
                if step.state is StepState.DONE
            }
        assert earlier_outcomes.items() <= outcomes.items()
        earlier_outcomes = outcomes
    assert kills == len(earlier_outcomes) > 8
    with ledger.system_session("test") as session:
        assert session.runs.find(run_id).state is RunState.DONE


def test_a_trainer_that_lost_its_step_writes_nothing(
    make_trainer, request_run, recipe, ledger
):
    request_run(recipe)
    slow = make_trainer(owner=StepOwner("elsewhere", 1, 0.0))
    step = slow._claim()
    _expire_leases(ledger)
    make_trainer().work()
    slow._do(step)
    with ledger.system_session("test") as session:
        run = session.runs.newest()[0]
        assert session.runs.steps(run.id)[0].attempts == 2
        assert len(session.models.all()) == 1


def test_steps_of_a_dead_process_of_this_machine_are_taken_up_at_once(
    make_trainer, request_run, recipe, ledger
):
    run_id = request_run(recipe)
    owner = StepOwner.current()
    dead_owner = replace(owner, began=owner.began - 1000)
    make_trainer(owner=dead_owner)._claim()
    make_trainer().work()
    with ledger.system_session("test") as session:
        assert session.runs.find(run_id).state is RunState.DONE


def test_a_step_that_ends_its_trainer_every_time_fails_its_run(
    make_trainer, request_run, recipe, ledger, settings
):
    run_id = request_run(recipe)
    for _ in range(settings.max_attempts):
        assert make_trainer(owner=StepOwner("elsewhere", 1, 0.0))._claim()
        _expire_leases(ledger)
    assert make_trainer()._claim() is None
    with ledger.system_session("test") as session:
        run = session.runs.find(run_id)
    assert (run.state, run.reason) == (RunState.FAILED, "trainer-lost")


def test_a_cancelled_run_stops_and_resumes_where_it_was(
    make_trainer, request_run, recipe, ledger
):
    run_id = request_run(recipe)
    trainer = make_trainer()
    for _ in range(3):
        trainer._do(trainer._claim())
    step = trainer._claim()
    with ledger.system_session("test") as session:
        assert session.runs.cancel(run_id)
    trainer._do(step)
    assert trainer._claim() is None
    with ledger.system_session("test") as session:
        done_before = {
            step.name
            for step in session.runs.steps(run_id)
            if step.state is StepState.DONE
        }
        assert session.runs.resume(run_id)
    assert len(done_before) == 3
    trainer.work()
    with ledger.system_session("test") as session:
        run = session.runs.find(run_id)
        steps = session.runs.steps(run_id)
    assert (run.state, run.resumed) == (RunState.DONE, 1)
    assert {step.name for step in steps if step.attempts == 1} >= done_before


def test_a_version_with_a_training_image_of_a_locked_test_set_is_not_trained_on(
    trainer, run, recipe, ledger, dataset
):
    with ledger.system_session("test") as session:
        other_dataset = session.datasets.ensure("other", synthetic=True)
        image = session.datasets.images(dataset)[0]
        session.datasets.add(
            other_dataset, [replace(image, split=Split.TEST, patient=None)]
        )
        session.versions.freeze(other_dataset)
    failed = run(trainer, recipe)
    assert (failed.state, failed.reason) == (RunState.FAILED, "trains-on-test-images")


def _expire_leases(ledger) -> None:
    """Lets every lease expire."""
    with ledger.engine.begin() as connection:
        connection.execute(
            update(RunStepRow).values(lease_until=text("now() - interval '1 second'"))
        )


def test_a_candidate_is_judged_against_what_is_live_on_the_locked_test_set(
    trainer, run, recipe, ledger
):
    first = run(trainer, recipe)
    with ledger.system_session("test") as session:
        session.models.promote(first.model_digest, "test", "the first model there is")
    second = run(trainer, recipe)
    with ledger.system_session("test") as session:
        judgements = [
            session.gate_judgements.latest(run.model_digest) for run in (first, second)
        ]
        steps = {step.name: step for step in session.runs.steps(second.id)}
    assert [gate.live_digest for gate in judgements] == [None, first.model_digest]
    assert [gate.verdict for gate in judgements] == [GateVerdict.NOT_JUDGED] * 2
    assert steps["gate"].outcome == {
        "verdict": "not-judged",
        "against": first.model_digest,
        "left_out": 0,
    }
    assert "Validation was not possible" in str(steps["gate"].message)
    assert steps["evaluation"].outcome["images"] == 4


def test_a_gate_can_be_repeated_when_another_model_has_become_live(
    trainer, run, recipe, ledger
):
    first = run(trainer, recipe)
    second = run(trainer, recipe)
    with ledger.system_session("test") as session:
        session.models.promote(first.model_digest, "test", "the first model there is")
        session.steps.add_gate_step(second.id)
    trainer.work()
    with ledger.system_session("test") as session:
        assert (
            session.gate_judgements.latest(second.model_digest).live_digest
            == first.model_digest
        )
        assert session.runs.find(second.id).state is RunState.DONE


def test_training_images_of_the_live_model_are_left_out_of_the_gate(
    trainer, run, recipe, ledger, objects
):
    first = run(trainer, recipe)
    with ledger.system_session("test") as session:
        session.models.promote(first.model_digest, "test", "the first model there is")
        other_dataset = session.datasets.ensure("other", synthetic=True)
        learned_rows = phantom_rows(objects, range(10), Split.TEST)
        new_rows = phantom_rows(objects, range(100, 120))
        new_test_rows = phantom_rows(objects, range(120, 123), Split.TEST)
        session.datasets.add(other_dataset, [*learned_rows, *new_test_rows, *new_rows])
        run_id = session.runs.request(
            other_dataset, session.versions.freeze(other_dataset).id, str(recipe), 0
        )
    trainer.work()
    with ledger.system_session("test") as session:
        steps = {step.name: step for step in session.runs.steps(run_id)}
    assert steps["evaluation"].outcome["images"] == 13
    assert steps["gate"].outcome["left_out"] == 10
