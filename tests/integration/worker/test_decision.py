import shutil

import pytest

from shared.bundles.storage import publish
from shared.domain.audit.events import Event
from tests.support.builders import as_format_2, png


@pytest.fixture
def choose(ledger):
    """Sets the hospital's settings as its administrator does."""

    def chosen(**settings):
        with ledger.system_session("test") as house:
            house.hospitals.change(house.hospitals.ensure("north"), settings)

    return chosen


@pytest.fixture
def old_bundle(bundles, tmp_path):
    return as_format_2(shutil.copytree(list(bundles.values())[1], tmp_path / "old"))


@pytest.fixture
def answered(desk, send, find, promote, choose):
    """The result of an image under these settings."""
    promote(1)

    def result(seed=3, **settings):
        choose(**settings)
        job = send(png(seed))
        desk.work()
        return find(job).result

    return result


def codes(result):
    return {warning.code for warning in result.warnings}


def test_without_settings_the_cutoff_is_youdens_and_no_set_is_made(
    answered, small_model
):
    result = answered()
    assert (result.cutoff, result.cutoff_rule, result.conformal) == (
        small_model.cutoff,
        "youden",
        None,
    )


def test_a_target_sensitivity_takes_effect_with_the_next_case(answered, small_model):
    before = answered()
    after = answered(target_sensitivity=0.9)
    point = next(
        point for point in small_model.evidence.operating_points if point.target == 0.9
    )
    assert before.cutoff_rule == "youden"
    assert (after.cutoff, after.cutoff_rule) == (point.cutoff, "sensitivity>=0.9")
    assert after.score == before.score
    assert answered(target_sensitivity=None).cutoff_rule == "youden"


def test_the_decision_is_the_hospitals_cutoff_unless_it_is_to_refer(answered):
    for seed in range(4):
        result = answered(seed, target_sensitivity=0.8)
        called = "malignant" if result.score >= result.cutoff else "benign"
        assert result.decision == (
            "refer" if "out-of-distribution" in codes(result) else called
        )


def test_a_case_that_cannot_be_told_is_referred_with_a_sentence(answered):
    """12 calibration images of a class: no p-value is below 1/13, so at 5 % both classes always stay."""
    result = answered(refer_alpha=0.05)
    assert result.decision == "refer"
    assert result.conformal.set == ("benign", "malignant")
    told = next(
        warning.message for warning in result.warnings if warning.code == "uncertain"
    )
    assert "error limit of 5 %" in told
    assert "may be benign or malignant" in told
    assert "radiologist" in told


def test_the_set_holds_the_classes_whose_p_value_exceeds_alpha(answered):
    for seed in range(4):
        result = answered(seed, refer_alpha=0.3)
        conformal = result.conformal
        p_values = {"benign": conformal.benign_p, "malignant": conformal.malignant_p}
        assert conformal.alpha == 0.3
        assert conformal.set == tuple(
            name for name, p_value in p_values.items() if p_value > 0.3
        )
        assert ("uncertain" in codes(result)) == (not conformal.certain)


def test_each_result_leaves_one_observation_as_the_result_says_it(answered, ledger):
    result = answered(refer_alpha=0.05)
    with ledger.engine.begin() as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM observations").mappings()
    assert [row[name] for name in ("score", "risk", "decision", "cutoff")] == [
        getattr(result, name) for name in ("score", "risk", "decision", "cutoff")
    ]
    assert row["model_digest"] == result.model.digest
    assert row["benign_p"] == result.conformal.benign_p
    assert row["strangeness"] > 0
    assert 1 <= len(row["embedding"]) <= 8
    assert set(row["warnings"]) == codes(result)


def test_a_lost_lease_leaves_no_observation(desk, send, promote, ledger):
    promote(1)
    send()
    desk._live.current()
    batch = desk._take().batch
    answers = desk._infer(batch)
    with ledger.system_session("other") as house:
        house.queue.give_back(batch.token, batch.jobs, desk._lease)
    desk._write(batch, answers)
    with ledger.engine.begin() as connection:
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM observations").scalar()
            == 0
        )


def test_a_model_without_evidence_goes_by_youdens_and_the_reader_is_told(
    desk, send, find, ledger, objects, choose, old_bundle
):
    digest = publish(old_bundle, objects)
    with ledger.system_session("test") as house:
        house.models.store(digest, "old", "small", None, False, {})
        house.models.promote(digest, "test", None)
    choose(target_sensitivity=0.95, refer_alpha=0.1)
    job = send()
    desk.work()
    result = find(job).result
    assert (result.cutoff_rule, result.conformal) == ("youden", None)
    told = next(
        warning.message
        for warning in result.warnings
        if warning.code == "setting-unmet"
    )
    assert "sensitivity and referring uncertain cases" in told


def test_a_change_is_on_record_with_before_and_after(ledger, choose):
    choose(prevalence=0.1, refer_alpha=0.2)
    choose(prevalence=0.2, refer_alpha=0.2)
    choose(prevalence=0.2)
    with ledger.system_session("test") as house:
        details = [
            each.details
            for each in house.audit.page()
            if each.event == Event.HOSPITAL_CHANGED
        ]
    assert details == [
        {
            "before": {"prevalence": None, "refer_alpha": None},
            "after": {"prevalence": 0.1, "refer_alpha": 0.2},
        },
        {"before": {"prevalence": 0.1}, "after": {"prevalence": 0.2}},
    ]
