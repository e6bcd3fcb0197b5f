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
from tests.integration.trainer.conftest import TRAINING_IMAGES, drawn_rows


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
    desk, run, recipe, ledger, objects, tmp_path
):
    ended = run(desk, recipe)
    assert (ended.state, ended.fraction, ended.reason) == (RunState.DONE, 1.0, None)
    assert ended.metrics["images"] == TRAINING_IMAGES
    bundle = load(
        fetch(ended.model_digest, objects, tmp_path / "shelf"), ended.model_digest
    )
    assert bundle.manifest.training.images == TRAINING_IMAGES
    assert bundle.manifest.synthetic
    with ledger.system_session("test") as house:
        stored = house.models.find(ended.model_digest)
    assert (stored.name, stored.version, stored.live) == ("handcrafted", 1, False)


def test_a_second_run_computes_no_feature_again(desk, run, recipe, ledger):
    computed = []
    for _ in range(2):
        ended = run(desk, recipe)
        with ledger.system_session("test") as house:
            steps = [
                step
                for step in house.runs.steps(ended.id)
                if step.kind is StepKind.FEATURES
            ]
        computed.append(sum(step.outcome["computed"] for step in steps))
    assert computed == [TRAINING_IMAGES, 0]


def test_a_run_that_cannot_be_done_says_why_and_the_next_one_is_taken_up(
    desk, run, recipe
):
    failed = run(desk, "light")
    assert (failed.state, failed.reason) == (RunState.FAILED, "weights-missing")
    assert "SERA_WEIGHTS_DIR" in str(failed.message)
    assert run(desk, recipe).state is RunState.DONE


def test_a_sample_is_cut_out_by_its_mask(objects, ledger, version):
    with ledger.system_session("test") as house:
        rows = house.versions.images(version.id)
    nodule = make_samples(rows, objects, Framing(0.1))[0].load()
    assert nodule.has_outline
    assert nodule.pixels.shape < (128, 128)
    assert 0 < nodule.mask.mean() < 1


def test_what_follows_is_rung_for_and_every_step_is_told_of(
    desk, run, recipe, rings, ledger
):
    ended = run(desk, recipe)
    with ledger.system_session("test") as house:
        steps = house.runs.steps(ended.id)
        said = house.runs.events(ended.id)
    assert {step.state for step in steps} == {StepState.DONE}
    assert [step.kind for step in steps][:3] == [
        StepKind.PLAN,
        StepKind.FEATURES,
        StepKind.TABLE,
    ]
    assert {event.step for event in said} == {step.name for step in steps}
    assert [event for event in said if str(event.message) == event.message.code] == []
    assert set(rings.rung) == {ended.id}


def test_a_trainer_killed_at_any_step_costs_that_step_only(
    make_desk, ask, recipe, ledger
):
    run_id = ask(recipe)
    done = {}
    kills = 0
    while True:
        dying = make_desk(owner=StepOwner("elsewhere", 1, kills))
        step = dying._claim()
        if step is None:
            break
        kills += 1
        _run_out(
            ledger
        )  # it was killed with the step in hand, and its lease has run out
        desk = make_desk()
        again = desk._claim()
        assert (again.name, again.attempts) == (step.name, 2)
        desk._do(again)
        with ledger.system_session("test") as house:
            now = {
                each.name: each.outcome
                for each in house.runs.steps(run_id)
                if each.state is StepState.DONE
            }
        assert done.items() <= now.items()
        done = now
    assert kills == len(done) > 8
    with ledger.system_session("test") as house:
        assert house.runs.find(run_id).state is RunState.DONE


def test_a_trainer_that_lost_its_step_writes_nothing(make_desk, ask, recipe, ledger):
    ask(recipe)
    slow = make_desk(owner=StepOwner("elsewhere", 1, 0.0))
    step = slow._claim()
    _run_out(ledger)
    make_desk().work()
    slow._do(step)
    with ledger.system_session("test") as house:
        run = house.runs.newest()[0]
        assert next(each.attempts for each in house.runs.steps(run.id)) == 2
        assert len(house.models.all()) == 1


def test_steps_of_a_dead_process_of_this_machine_are_taken_up_at_once(
    make_desk, ask, recipe, ledger
):
    run_id = ask(recipe)
    here = StepOwner.current()
    make_desk(owner=StepOwner(here.host, here.pid, here.began - 1000))._claim()
    make_desk().work()
    with ledger.system_session("test") as house:
        assert house.runs.find(run_id).state is RunState.DONE


def test_a_step_that_takes_its_trainer_along_every_time_fails_its_run(
    make_desk, ask, recipe, ledger, settings
):
    run_id = ask(recipe)
    for _ in range(settings.max_attempts):
        assert make_desk(owner=StepOwner("elsewhere", 1, 0.0))._claim()
        _run_out(ledger)
    assert make_desk()._claim() is None
    with ledger.system_session("test") as house:
        run = house.runs.find(run_id)
    assert (run.state, run.reason) == (RunState.FAILED, "trainer-lost")


def test_a_cancelled_run_stops_and_goes_on_where_it_was(make_desk, ask, recipe, ledger):
    run_id = ask(recipe)
    desk = make_desk()
    for _ in range(3):
        desk._do(desk._claim())
    step = desk._claim()
    with ledger.system_session("test") as house:
        assert house.runs.cancel(run_id)
    desk._do(step)
    assert desk._claim() is None
    with ledger.system_session("test") as house:
        before = {
            each.name
            for each in house.runs.steps(run_id)
            if each.state is StepState.DONE
        }
        assert house.runs.resume(run_id)
    assert len(before) == 3
    desk.work()
    with ledger.system_session("test") as house:
        run = house.runs.find(run_id)
        steps = house.runs.steps(run_id)
    assert (run.state, run.resumed) == (RunState.DONE, 1)
    assert {each.name for each in steps if each.attempts == 1} >= before


def test_a_version_with_a_training_image_of_a_locked_test_set_is_not_trained_on(
    desk, run, recipe, ledger, dataset
):
    with ledger.system_session("test") as house:
        other = house.datasets.ensure("other", synthetic=True)
        image = house.datasets.images(dataset)[0]
        house.datasets.add(other, [replace(image, split=Split.TEST, patient=None)])
        house.versions.freeze(other)
    failed = run(desk, recipe)
    assert (failed.state, failed.reason) == (RunState.FAILED, "trains-on-test-images")


def _run_out(ledger) -> None:
    """Every lease runs out."""
    with ledger.engine.begin() as line:
        line.execute(
            update(RunStepRow).values(lease_until=text("now() - interval '1 second'"))
        )


def test_a_candidate_is_judged_against_what_is_live_on_the_locked_test_set(
    desk, run, recipe, ledger
):
    first = run(desk, recipe)
    with ledger.system_session("test") as house:
        house.models.promote(first.model_digest, "test", "the first model there is")
    second = run(desk, recipe)
    with ledger.system_session("test") as house:
        judged = [house.gate_judgements.latest(each.model_digest) for each in (first, second)]
        steps = {step.name: step for step in house.runs.steps(second.id)}
    assert [gate.live_digest for gate in judged] == [None, first.model_digest]
    assert [gate.verdict for gate in judged] == [GateVerdict.NOT_JUDGED] * 2
    assert steps["gate"].outcome == {
        "verdict": "not-judged",
        "against": first.model_digest,
        "left_out": 0,
    }
    assert "could not judge" in str(steps["gate"].message)
    assert steps["evaluation"].outcome["images"] == 4


def test_a_gate_can_be_held_again_when_another_model_has_become_live(
    desk, run, recipe, ledger
):
    first = run(desk, recipe)
    second = run(desk, recipe)
    with ledger.system_session("test") as house:
        house.models.promote(first.model_digest, "test", "the first model there is")
        house.steps.add_gate_step(second.id)
    desk.work()
    with ledger.system_session("test") as house:
        assert house.gate_judgements.latest(second.model_digest).live_digest == first.model_digest
        assert house.runs.find(second.id).state is RunState.DONE


def test_what_the_live_model_learned_from_is_left_out_of_the_gate(
    desk, run, recipe, ledger, objects
):
    first = run(desk, recipe)
    with ledger.system_session("test") as house:
        house.models.promote(first.model_digest, "test", "the first model there is")
        other = house.datasets.ensure("other", synthetic=True)
        known = drawn_rows(objects, range(10), Split.TEST)
        new = drawn_rows(objects, range(100, 120))
        house.datasets.add(
            other, [*known, *drawn_rows(objects, range(120, 123), Split.TEST), *new]
        )
        run_id = house.runs.request(
            other, house.versions.freeze(other).id, str(recipe), 0
        )
    desk.work()
    with ledger.system_session("test") as house:
        steps = {step.name: step for step in house.runs.steps(run_id)}
    assert (
        steps["evaluation"].outcome["images"],
        steps["gate"].outcome["left_out"],
    ) == (13, 10)
